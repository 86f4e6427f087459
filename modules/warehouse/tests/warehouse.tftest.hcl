# The real provider, without network access: policies and plans are real.
provider "aws" {
  region                      = "us-west-2"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name          = "shop"
  event_mapping = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  output        = { bucket = "shop-data", prefix = "transformed/" }
}

run "makes_nothing_unless_asked" {
  command = plan

  assert {
    condition = (
      output.redshift == null &&
      output.snowflake == null &&
      length(aws_iam_role.redshift) == 0 &&
      length(aws_iam_role.snowflake) == 0
    )
    error_message = "No warehouse is configured."
  }
}

run "fills_in_schema_place_and_role_of_redshift" {
  command = plan

  variables {
    redshift = { schema = "shop", sql_path = "tests/sql/redshift.sql" }
  }

  assert {
    condition = output.redshift.statements == tolist([
      "SET a TO true",
      join("\n", [
        "UNLOAD ('",
        "-- shop, track",
        "SELECT 1 FROM \"shop\".\"product_viewed\"')",
        "TO 's3://shop-data/transformed/interactions/part-'",
        "IAM_ROLE 'arn:aws:iam::123456789012:role/shop-us-west-2-redshift'",
        "FORMAT AS CSV HEADER",
        "REGION 'us-west-2'",
      ]),
    ])
    error_message = "The comments above go, the ones inside stay, the blanks are filled."
  }

  assert {
    condition = (
      startswith(output.redshift.sql, "-- event mapping sha256: 0000") &&
      output.redshift.role_arn == "arn:aws:iam::123456789012:role/shop-us-west-2-redshift"
    )
    error_message = "`personalize-segment verify` reads the digest in the text."
  }

  assert {
    condition = (
      aws_iam_role.redshift[0].name == "shop-us-west-2-redshift" &&
      jsondecode(aws_iam_role.redshift[0].assume_role_policy).Statement[0].Principal.Service == [
        "redshift.amazonaws.com",
        "redshift-serverless.amazonaws.com",
      ]
    )
    error_message = "The role that the statements name, for clusters and workgroups."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.redshift[0].policy).Statement == [
      {
        Sid    = "ReplaceTheTrainingData"
        Effect = "Allow"
        Action = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::shop-data/transformed/users/*",
          "arn:aws:s3:::shop-data/transformed/items/*",
          "arn:aws:s3:::shop-data/transformed/interactions/*",
        ]
      },
      {
        Sid       = "ListTheTrainingData"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::shop-data"
        Condition = { StringLike = { "s3:prefix" = "transformed/*" } }
      },
      { Sid = "FindTheBucket", Effect = "Allow", Action = "s3:GetBucketLocation", Resource = "arn:aws:s3:::shop-data" },
      {
        Sid      = "FindTheBucketsKey"
        Effect   = "Allow"
        Action   = "s3:GetEncryptionConfiguration"
        Resource = "arn:aws:s3:::shop-data"
      },
    ]
    error_message = "It replaces the datasets, and reaches nothing else."
  }
}

run "takes_a_role_that_is_there" {
  command = plan

  variables {
    redshift = {
      schema   = "shop"
      sql_path = "tests/sql/redshift.sql"
      role     = { arn = "arn:aws:iam::123456789012:role/unload" }
    }
  }

  assert {
    condition = (
      length(aws_iam_role.redshift) == 0 &&
      strcontains(output.redshift.sql, "IAM_ROLE 'arn:aws:iam::123456789012:role/unload'")
    )
    error_message = "No second role then."
  }
}

run "names_the_role_of_snowflake_before_it_can_be_made" {
  command = plan

  variables {
    snowflake = { schema = "SEGMENT.SHOP", sql_path = "tests/sql/snowflake.sql", integration = "PERSONALIZE" }
  }

  assert {
    condition = (
      length(aws_iam_role.snowflake) == 0 &&
      output.snowflake.role_arn == "arn:aws:iam::123456789012:role/shop-us-west-2-snowflake"
    )
    error_message = "The integration is made with its ARN; who assumes it is known only then."
  }

  assert {
    condition = output.snowflake.statements == tolist([
      "CREATE OR REPLACE TEMPORARY STAGE S\nURL = 's3://shop-data/transformed/'\nSTORAGE_INTEGRATION = \"PERSONALIZE\"",
      "COPY INTO @S/interactions/part- FROM (SELECT 1 FROM \"SEGMENT\".\"SHOP\".\"PRODUCT_VIEWED\")",
    ])
    error_message = "Database and schema are two identifiers."
  }
}

run "lets_the_integration_in_when_it_is_known" {
  command = plan

  variables {
    output = {
      bucket      = "shop-data"
      prefix      = "transformed/"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/1"
    }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    snowflake = {
      schema      = "SHOP"
      sql_path    = "tests/sql/snowflake.sql"
      integration = "PERSONALIZE"
      trust       = { user_arn = "arn:aws:iam::999999999999:user/snow", external_id = "ABC_SFCRole=2_x" }
    }
  }

  assert {
    condition = jsondecode(aws_iam_role.snowflake[0].assume_role_policy).Statement[0] == {
      Sid       = "LetThisStorageIntegrationAssumeTheRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::999999999999:user/snow" }
      Condition = { StringEquals = { "sts:ExternalId" = "ABC_SFCRole=2_x" } }
    }
    error_message = "That user, and with the integration's external id only."
  }

  assert {
    condition = (
      length(jsondecode(aws_iam_role_policy.snowflake[0].policy).Statement) == 4 &&
      jsondecode(aws_iam_role_policy.snowflake[0].policy).Statement[3] == {
        Sid       = "EncryptTheTrainingData"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/1"
        Condition = { StringEquals = { "kms:ViaService" = "s3.us-west-2.amazonaws.com" } }
      }
    )
    error_message = "With the bucket's key, through S3."
  }

  assert {
    condition     = aws_iam_role.snowflake[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary bounds it."
  }
}

run "refuses_statements_of_another_mapping" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    event_mapping = { sha256 = "1111111111111111111111111111111111111111111111111111111111111111" }
    redshift      = { schema = "shop", sql_path = "tests/sql/redshift.sql" }
    snowflake     = { schema = "SHOP", sql_path = "tests/sql/snowflake.sql", integration = "PERSONALIZE" }
  }

  expect_failures = [var.redshift, var.snowflake]
}

run "refuses_a_file_that_is_not_there" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    redshift  = { schema = "shop", sql_path = "tests/sql/none.sql" }
    snowflake = { schema = "SHOP", sql_path = "tests/sql/none.sql", integration = "PERSONALIZE" }
  }

  expect_failures = [var.redshift, var.snowflake]
}

run "refuses_a_blank_that_stays" {
  command = plan

  variables {
    redshift  = { schema = "shop", sql_path = "tests/sql/unknown_blank.sql" }
    snowflake = { schema = "SHOP", sql_path = "tests/sql/unknown_blank.sql", integration = "PERSONALIZE" }
  }

  expect_failures = [output.redshift, output.snowflake]
}

run "refuses_statements_that_write_elsewhere" {
  command = plan

  variables {
    redshift  = { schema = "shop", sql_path = "tests/sql/other_place.sql" }
    snowflake = { schema = "SHOP", sql_path = "tests/sql/other_place.sql", integration = "PERSONALIZE" }
  }

  expect_failures = [output.redshift, output.snowflake]
}

# Each of the three is small enough, as the run below shows of one.
run "refuses_statements_that_a_refresh_could_not_hand_over" {
  command = plan

  variables {
    output   = { bucket = "shop-data", prefix = "${join("", [for n in range(1006) : "x"])}/" }
    redshift = { schema = "shop", sql_path = "tests/sql/three_long.sql" }
  }

  expect_failures = [output.redshift]
}

# Bytes count, of which a letter may have several: this one has 102,409 in 102,359 letters.
run "refuses_a_statement_that_the_data_api_would_not_take" {
  command = plan

  variables {
    output   = { bucket = "shop-data", prefix = "${join("", [for n in range(1007) : "x"])}/" }
    redshift = { schema = "shop", sql_path = "tests/sql/long.sql" }
  }

  expect_failures = [output.redshift]
}

run "takes_a_statement_of_less_than_100_kb" {
  command = plan

  variables {
    output   = { bucket = "shop-data", prefix = "${join("", [for n in range(1006) : "x"])}/" }
    redshift = { schema = "shop", sql_path = "tests/sql/long.sql" }
  }

  assert {
    condition     = length(output.redshift.statements[0]) == 102259
    error_message = "It fits."
  }
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    name                     = "Shop"
    output                   = { bucket = "s3://shop-data", prefix = "transformed/" }
    redshift                 = { schema = "sh\"op", sql_path = "tests/sql/redshift.sql" }
    snowflake                = { schema = "shop", sql_path = "tests/sql/snowflake.sql", integration = "PERSONALIZE" }
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.name, var.output, var.redshift, var.snowflake, var.permissions_boundary_arn]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    name   = "shop-"
    output = { bucket = "shop-data", prefix = "/transformed" }
    redshift = {
      schema   = "shop"
      sql_path = "tests/sql/redshift.sql"
      role     = { arn = "arn:aws:iam::123456789012:role/*" }
    }
    snowflake = { schema = "SHOP", sql_path = "tests/sql/snowflake.sql", integration = "a'b" }
  }

  expect_failures = [var.name, var.output, var.redshift, var.snowflake]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    output = { bucket = "shop-data", prefix = "transformed/", kms_key_arn = "alias/shop" }
    snowflake = {
      schema      = "SHOP"
      sql_path    = "tests/sql/snowflake.sql"
      integration = "PERSONALIZE"
      trust       = { user_arn = "999999999999", external_id = "ABC_SFCRole=2_x" }
    }
  }

  expect_failures = [var.output, var.snowflake]
}

run "refuses_several_at_once_4" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    snowflake = {
      schema      = "SHOP"
      sql_path    = "tests/sql/snowflake.sql"
      integration = "PERSONALIZE"
      trust       = { user_arn = "arn:aws:iam::999999999999:user/snow", external_id = "<id>" }
    }
  }

  expect_failures = [var.snowflake]
}

run "refuses_a_key_for_an_integration" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    snowflake = { schema = "SHOP", sql_path = "tests/sql/snowflake.sql", integration = "AKIAIOSFODNN7EXAMPLE" }
  }

  expect_failures = [var.snowflake]
}

run "the_role_has_the_name_and_path_that_are_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
    iam_path    = "/ours/"
    tags        = { team = "shop" }
    redshift    = { schema = "shop", sql_path = "tests/sql/redshift.sql" }
    snowflake = {
      schema      = "SHOP"
      sql_path    = "tests/sql/snowflake.sql"
      integration = "PERSONALIZE"
      trust       = { user_arn = "arn:aws:iam::999999999999:user/snow", external_id = "SHOP_SFCRole=1" }
    }
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.redshift[0], aws_iam_role.snowflake[0]] : role.tags == tomap({ team = "shop" })
    ])
    error_message = "The roles are tagged."
  }

  assert {
    condition = (
      aws_iam_role.redshift[0].name == "eu-redshift" &&
      output.redshift.role_arn == "arn:aws:iam::123456789012:role/ours/eu-redshift"
    )
    error_message = "It is ${output.redshift.role_arn}."
  }
}
