-- event mapping sha256: 0000000000000000000000000000000000000000000000000000000000000000

-- setup session
CREATE OR REPLACE TEMPORARY STAGE S
URL = '{{location}}'
STORAGE_INTEGRATION = "{{integration}}";

-- unload interactions
COPY INTO @S/interactions/part- FROM (SELECT 1 FROM "{{schema}}"."PRODUCT_VIEWED");
