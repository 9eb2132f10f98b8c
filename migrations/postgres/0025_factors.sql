-- A second factor that no older one vouched for counts for what is critical a day after it was added (server/src/people/factors).
ALTER TABLE factors ADD COLUMN counts_from TIMESTAMPTZ;
