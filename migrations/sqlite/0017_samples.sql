-- Of a sample: how many are drawn, and the auditor's nonce (app/src/audit/sample.rs).
ALTER TABLE report_jobs ADD COLUMN sample INTEGER NOT NULL DEFAULT 0;
ALTER TABLE report_jobs ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
