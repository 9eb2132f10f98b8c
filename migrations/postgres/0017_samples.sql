-- Of a sample: how many are drawn, the auditor's nonce, and the root that was signed before it was known
-- (app/src/audit/sample.rs).
ALTER TABLE report_jobs ADD COLUMN sample INTEGER NOT NULL DEFAULT 0;
ALTER TABLE report_jobs ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE report_jobs ADD COLUMN root TEXT NOT NULL DEFAULT '';
