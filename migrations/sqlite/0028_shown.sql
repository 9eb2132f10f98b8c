-- What a request was asked for, as its approvers read it: a digest over path, class and description of each secret
-- (app/src/requests/model.rs). Requests of before have none.
ALTER TABLE access_requests ADD COLUMN shown TEXT;
