-- event mapping sha256: 0000000000000000000000000000000000000000000000000000000000000000
-- What it is.

-- setup session
SET a TO true;

-- unload interactions
UNLOAD ('
-- {{schema}}, track
SELECT 1 FROM "{{schema}}"."product_viewed"')
TO '{{location}}interactions/part-'
IAM_ROLE '{{role_arn}}'
FORMAT AS CSV HEADER
REGION '{{bucket_region}}';

-- That is all.
