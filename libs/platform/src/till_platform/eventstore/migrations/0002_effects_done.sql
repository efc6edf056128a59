CREATE INDEX effect_done ON effect (done_at) WHERE done_at IS NOT NULL;
COMMENT ON TABLE effect IS 'What is to be done outside, once: claimed by a sender, kept for a while when done.';
