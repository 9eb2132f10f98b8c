-- Whether a project is open opens it, and whose a report is opens it: both are sealed (server/src/audit/row_seal.rs).
ALTER TABLE projects ADD COLUMN event_seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE projects ADD COLUMN row_mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE report_jobs ADD COLUMN terms_mac BLOB NOT NULL DEFAULT x'';
