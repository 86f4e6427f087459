# The real provider, without network access: these are the real policies.

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
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
  name = "shop"
}

run "without_options" {
  command = plan

  # A bucket is named after stack account and region.
  assert {
    condition = (
      output.bucket.name == "shop-personalize-123456789012-eu-west-1" &&
      aws_s3_bucket.data[0].bucket == output.bucket.name
    )
    error_message = "The name is ${output.bucket.name}"
  }

  assert {
    condition     = output.bucket.arn == "arn:aws:s3:::shop-personalize-123456789012-eu-west-1"
    error_message = "The ARN is ${output.bucket.arn}"
  }

  assert {
    condition     = length(data.aws_s3_bucket.existing) == 0
    error_message = "A bucket is looked up."
  }

  # A new bucket is closed to the public.
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.data[0].block_public_acls,
      aws_s3_bucket_public_access_block.data[0].block_public_policy,
      aws_s3_bucket_public_access_block.data[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.data[0].restrict_public_buckets,
    ])
    error_message = "Public access is possible."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.data[0].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs are enabled."
  }

  # A new bucket is versioned and is kept while it isn't empty.
  assert {
    condition     = aws_s3_bucket_versioning.data[0].versioning_configuration[0].status == "Enabled"
    error_message = "It is not versioned."
  }

  assert {
    condition     = aws_s3_bucket.data[0].force_destroy == false
    error_message = "Destroy would delete data."
  }

  # Without a key s3 encrypts.
  assert {
    condition = (
      one(
        one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule).apply_server_side_encryption_by_default
      ).sse_algorithm == "AES256" &&
      !one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule).bucket_key_enabled
    )
    error_message = "It is not SSE-S3."
  }

  # Derived data, old versions and incomplete uploads expire.
  assert {
    condition = jsonencode([
      for rule in aws_s3_bucket_lifecycle_configuration.data[0].rule :
      [one(rule.filter).prefix, one(rule.expiration).days] if rule.id != "everything"
      ]) == jsonencode([
      ["batch/", 90], ["deletions/", 90], ["stage/", 365], ["transformed/", 90]
    ])
    error_message = "Derived data expires differently."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.data[0].rule : rule.status == "Enabled"])
    error_message = "A lifecycle rule is disabled."
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.data[0].rule[0].noncurrent_version_expiration).noncurrent_days == 7 &&
      one(
        aws_s3_bucket_lifecycle_configuration.data[0].rule[0].abort_incomplete_multipart_upload
      ).days_after_initiation == 7
    )
    error_message = "Old versions or incomplete uploads expire differently."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.data[0].rule[0].expiration).expired_object_delete_marker
    error_message = "Delete markers stay."
  }

  # The policy denies plain HTTP and lets Personalize read its input and write its results.
  assert {
    condition = jsonencode(jsondecode(output.policy_json).Statement) == jsonencode([
      {
        Sid       = "DenyPlainHttpShop"
        Effect    = "Deny"
        Action    = "s3:*"
        Principal = "*"
        Resource = [
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/*",
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1",
        ]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "PersonalizeListsTheBucketShop"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = "arn:aws:s3:::shop-personalize-123456789012-eu-west-1"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeReadsItsInputShop"
        Effect    = "Allow"
        Action    = "s3:GetObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource = [
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/transformed/*",
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/deletions/*",
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/batch/*",
        ]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeWritesItsResultsShop"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource = [
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/reports/*",
          "arn:aws:s3:::shop-personalize-123456789012-eu-west-1/batch/*",
        ]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.data[0].policy) == jsondecode(output.policy_json)
    error_message = "The bucket has another policy."
  }

  # Prefixes are put out with their defaults.
  assert {
    condition = jsonencode(output.prefixes) == jsonencode({
      logs        = "segment-logs/"
      transformed = "transformed/"
      reports     = "reports/"
      batch       = "batch/"
      deletions   = "deletions/"
      artifacts   = "artifacts/"
      stage       = "stage/"
    })
    error_message = "The prefixes are ${jsonencode(output.prefixes)}"
  }
}

run "the_longest_name_still_gives_a_name_of_a_bucket" {
  command = plan

  variables {
    name = "abcdefghij-klmnopqrs"
  }

  assert {
    condition     = length(output.bucket.name) <= 63
    error_message = "${output.bucket.name} is too long."
  }
}

run "a_bucket_may_have_a_name_of_its_own_and_tags" {
  command = plan

  variables {
    bucket_name = "my-data"
    tags        = { team = "shop" }
  }

  assert {
    condition     = output.bucket.name == "my-data" && aws_s3_bucket.data[0].bucket == "my-data"
    error_message = "The name is ${output.bucket.name}"
  }

  assert {
    condition     = aws_s3_bucket.data[0].tags["team"] == "shop"
    error_message = "The tags are missing."
  }
}

run "a_made_bucket_may_go_with_everything_in_it" {
  command = plan

  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.data[0].force_destroy
    error_message = "force_destroy is not passed on."
  }
}

run "with_a_key_kms_encrypts_once_for_many_objects" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k"
  }

  assert {
    condition = (
      one(
        one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule).apply_server_side_encryption_by_default
      ).sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule).bucket_key_enabled
    )
    error_message = "It is not SSE-KMS with a bucket key."
  }

  assert {
    condition = one(
      one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule).apply_server_side_encryption_by_default
    ).kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/k"
    error_message = "It is another key."
  }
}

run "how_long_they_stay_can_be_said" {
  command = plan

  variables {
    lifecycle_days = { derived = 10, stage = 40, noncurrent = 5, uploads = 2 }
  }

  assert {
    condition = jsonencode([
      for rule in aws_s3_bucket_lifecycle_configuration.data[0].rule :
      [one(rule.filter).prefix, one(rule.expiration).days] if rule.id != "everything"
      ]) == jsonencode([
      ["batch/", 10], ["deletions/", 10], ["stage/", 40], ["transformed/", 10]
    ])
    error_message = "Derived data expires differently."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.data[0].rule : rule.status == "Enabled"])
    error_message = "A lifecycle rule is disabled."
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.data[0].rule[0].noncurrent_version_expiration).noncurrent_days == 5 &&
      one(
        aws_s3_bucket_lifecycle_configuration.data[0].rule[0].abort_incomplete_multipart_upload
      ).days_after_initiation == 2
    )
    error_message = "Old versions or incomplete uploads expire differently."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.data[0].rule[0].expiration).expired_object_delete_marker
    error_message = "Delete markers stay."
  }
}

run "the_policy_follows_the_prefixes" {
  command = plan

  variables {
    bucket_name = "my-data"
    prefixes    = { transformed = "a/", reports = "b/", batch = "c/", deletions = "d/" }
  }

  assert {
    condition = jsonencode(jsondecode(output.policy_json).Statement) == jsonencode([
      {
        Sid       = "DenyPlainHttpShop"
        Effect    = "Deny"
        Action    = "s3:*"
        Principal = "*"
        Resource  = ["arn:aws:s3:::my-data/*", "arn:aws:s3:::my-data"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "PersonalizeListsTheBucketShop"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = "arn:aws:s3:::my-data"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeReadsItsInputShop"
        Effect    = "Allow"
        Action    = "s3:GetObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = ["arn:aws:s3:::my-data/d/*", "arn:aws:s3:::my-data/c/*", "arn:aws:s3:::my-data/a/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeWritesItsResultsShop"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = ["arn:aws:s3:::my-data/c/*", "arn:aws:s3:::my-data/b/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition     = output.prefixes.logs == "segment-logs/" && output.prefixes.artifacts == "artifacts/"
    error_message = "The others keep their defaults."
  }
}

run "an_existing_bucket_is_left_alone_and_its_policy_put_out" {
  command = plan

  variables {
    existing_bucket = { name = "theirs" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = { keys = [] }
  }

  assert {
    condition     = output.bucket.name == "theirs" && output.bucket.arn == "arn:aws:s3:::theirs"
    error_message = "The bucket is ${output.bucket.name}"
  }

  assert {
    condition = (
      length(concat(
        aws_s3_bucket.data,
        aws_s3_bucket_policy.data,
        aws_s3_bucket_public_access_block.data,
        aws_s3_bucket_ownership_controls.data,
        aws_s3_bucket_versioning.data,
        aws_s3_bucket_server_side_encryption_configuration.data,
        aws_s3_bucket_lifecycle_configuration.data,
      )) == 0
    )
    error_message = "The existing bucket would be changed."
  }

  assert {
    condition = jsonencode(jsondecode(output.policy_json).Statement) == jsonencode([
      {
        Sid       = "DenyPlainHttpShop"
        Effect    = "Deny"
        Action    = "s3:*"
        Principal = "*"
        Resource  = ["arn:aws:s3:::theirs/*", "arn:aws:s3:::theirs"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "PersonalizeListsTheBucketShop"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = "arn:aws:s3:::theirs"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeReadsItsInputShop"
        Effect    = "Allow"
        Action    = "s3:GetObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource = [
          "arn:aws:s3:::theirs/shop/transformed/*",
          "arn:aws:s3:::theirs/shop/deletions/*",
          "arn:aws:s3:::theirs/shop/batch/*",
        ]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
      {
        Sid       = "PersonalizeWritesItsResultsShop"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = ["arn:aws:s3:::theirs/shop/reports/*", "arn:aws:s3:::theirs/shop/batch/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "an_existing_bucket_has_any_prefixes_that_are_wanted" {
  command = plan

  variables {
    name            = "shop-eu"
    existing_bucket = { name = "theirs" }
    prefixes        = { transformed = "training/", logs = "segment-logs/eu/" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = { keys = [] }
  }

  assert {
    condition = output.prefixes == {
      transformed = "training/", logs = "segment-logs/eu/", reports = "shop-eu/reports/", batch = "shop-eu/batch/"
      deletions   = "shop-eu/deletions/", artifacts = "shop-eu/artifacts/", stage = "shop-eu/stage/"
    }
    error_message = "They are ${jsonencode(output.prefixes)}"
  }

  assert {
    condition     = alltrue([for one in jsondecode(output.policy_json).Statement : endswith(one.Sid, "ShopEu")])
    error_message = "Another stack's statements may have the same ids."
  }

  assert {
    condition = aws_s3_object.stack[0].key == join("!", [
      "personalize-segment-stacks/shop-eu", "123456789012", "eu-west-1",
      "training/", "shop-eu/reports/", "shop-eu/batch/", "shop-eu/deletions/", "shop-eu/artifacts/", "shop-eu/stage/",
    ])
    error_message = "Others don't see where it writes: ${aws_s3_object.stack[0].key}"
  }
}

run "a_name_that_differs_by_a_hyphen_alone_has_other_statement_ids" {
  command = plan

  variables {
    name = "shop-1"
  }

  assert {
    condition = alltrue([
      for one in jsondecode(output.policy_json).Statement : can(regex("Shop1[0-9a-f]{8}$", one.Sid))
    ])
    error_message = "Those of shop1 may be the same."
  }
}

run "other_stacks_on_the_bucket_and_what_is_none_are_no_trouble" {
  command = plan

  variables {
    existing_bucket = { name = "theirs" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = {
      keys = [
        "personalize-segment-stacks/",
        "personalize-segment-stacks/shop!123456789012!eu-west-1!old/!o/r/!o/b/!o/d/!o/a/!shop/stage/",
        "personalize-segment-stacks/web!123456789012!eu-west-1!web/t/!web/reports/!web/b/!web/d/!web/a/!web/s/",
      ]
    }
  }

  assert {
    condition     = length(aws_s3_object.stack) == 1
    error_message = "The stack is one of them."
  }
}

run "a_folder_that_another_stack_writes_to_is_refused" {
  command = plan

  variables {
    existing_bucket = { name = "theirs" }
    prefixes        = { reports = "web/reports/shop/" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = {
      keys = [
        "personalize-segment-stacks/web!123456789012!eu-west-1!web/t/!web/reports/!web/b/!web/d/!web/a/!web/s/",
      ]
    }
  }

  expect_failures = [aws_s3_object.stack]
}

run "a_stack_of_the_same_name_in_another_account_is_refused" {
  command = plan

  variables {
    existing_bucket = { name = "theirs" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = {
      keys = [
        "personalize-segment-stacks/shop!210987654321!eu-west-1!shop/t/!shop/reports/!shop/b/!shop/d/!shop/a/!shop/s/",
      ]
    }
  }

  expect_failures = [aws_s3_object.stack]
}

run "an_existing_bucket_in_another_region_is_refused" {
  command = plan

  variables {
    existing_bucket = { name = "theirs" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.us-east-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = { keys = [] }
  }

  expect_failures = [data.aws_s3_bucket.existing]
}

run "a_bucket_both_made_and_existing_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    bucket_name     = "my-data"
    existing_bucket = { name = "theirs" }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = {
      bucket                      = "theirs"
      bucket_regional_domain_name = "theirs.s3.eu-west-1.amazonaws.com"
    }
  }

  override_data {
    target = data.aws_s3_objects.stacks
    values = { keys = [] }
  }

  expect_failures = [var.existing_bucket]
}

run "a_prefix_of_129_characters_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefixes = { logs = "${join("", [for n in range(128) : "a"])}/" }
  }

  expect_failures = [var.prefixes]
}

run "a_prefix_inside_another_is_refused" {
  command = plan

  variables {
    prefixes = { artifacts = "transformed/artifacts/" }
  }

  expect_failures = [output.prefixes]
}

run "two_prefixes_that_are_one_are_refused" {
  command = plan

  variables {
    prefixes = { artifacts = "transformed/" }
  }

  expect_failures = [output.prefixes]
}

run "a_prefix_of_128_characters_and_a_hundred_years_are_accepted" {
  command = plan

  variables {
    prefixes       = { logs = "${join("", [for n in range(127) : "a"])}/" }
    lifecycle_days = { derived = 36500, noncurrent = 1, uploads = 1 }
  }

  assert {
    condition     = length(output.prefixes.logs) == 128
    error_message = "It is another prefix."
  }
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name of 21 characters is refused
    name = "abcdefghij-klmnopqrst"

    # a bucket name with a dot is refused
    bucket_name = "my.data"

    # an alias of a key is refused
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/data"

    # a prefix that begins with a slash is refused
    prefixes = { logs = "/logs/" }

    # derived data of 0 days is refused
    lifecycle_days = { derived = 0 }
  }

  expect_failures = [
    var.name,
    var.bucket_name,
    var.kms_key_arn,
    var.prefixes,
    var.lifecycle_days,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that ends with a hyphen is refused
    name = "shop-"

    # a prefix without a slash at its end is refused
    prefixes = { logs = "logs" }

    # half a day is refused
    lifecycle_days = { uploads = 0.5 }
  }

  expect_failures = [
    var.name,
    var.prefixes,
    var.lifecycle_days,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name in upper case is refused
    name = "Shop"

    # a prefix with a star is refused
    prefixes = { logs = "*/" }

    # more than a hundred years is refused
    lifecycle_days = { noncurrent = 36501 }
  }

  expect_failures = [
    var.name,
    var.prefixes,
    var.lifecycle_days,
  ]
}

run "an_empty_folder_in_a_prefix_is_refused" {
  command = plan

  variables {
    # The provider uploads an object of such a prefix with one slash.
    prefixes = { stage = "a//b/" }
  }

  expect_failures = [var.prefixes]
}
