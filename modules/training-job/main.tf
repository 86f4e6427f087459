data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  # Also the name of the security configuration.
  job_name  = "${var.name}-history"
  role_name = "${coalesce(var.name_prefix, "${var.name}-${local.region}")}-history"
  job_arn   = "arn:${local.partition}:glue:${local.region}:${local.account}:job/${local.job_name}"
  role_arn  = "arn:${local.partition}:iam::${local.account}:role${var.iam_path}${local.role_name}"

  script_path  = coalesce(var.script_path, "${path.module}/../../glue/segment_to_personalize.py")
  package_path = coalesce(var.package.path, "${path.module}/../../dist/personalize-segment.zip")
  script = {
    bucket = var.artifacts.bucket
    key    = "${var.artifacts.prefix}${local.job_name}/segment_to_personalize.py"
  }
  package = var.package.s3 != null ? var.package.s3 : {
    bucket = var.artifacts.bucket
    key    = "${var.artifacts.prefix}${local.job_name}/personalize-segment.zip"
  }

  # DuckDB and its dependencies, which Glue installs from here without network access.
  python      = { "5.0" = "3.11", "5.1" = "3.11", "6.0" = "3.13" }[var.glue_version]
  wheels_path = coalesce(var.wheels.path, "${path.module}/../../dist/glue-${local.python}")
  wheels = {
    bucket = try(var.wheels.s3.bucket, var.artifacts.bucket)
    keys = try(var.wheels.s3.keys, [
      for name in fileset(local.wheels_path, "*.whl") : "${var.artifacts.prefix}${local.job_name}/wheels/${name}"
    ])
  }
  wheel_uris = join(",", [for key in local.wheels.keys : "s3://${local.wheels.bucket}/${key}"])

  # A worker's free disk (https://docs.aws.amazon.com/glue/latest/dg/worker-types.html), at 200 bytes per event.
  driver_events = coalesce(var.workers.driver_events, {
    "G.1X" = 200000000, "G.2X" = 350000000, "G.4X" = 1100000000, "G.8X" = 2400000000
  }[var.workers.type])

  # With a security configuration, Glue 5 adds its name and the role's to the names of log groups.
  log_prefix = "/aws-glue/jobs/${local.job_name}"
  log_folder = var.kms_key == null ? local.log_prefix : "${local.log_prefix}/${local.job_name}-role/${local.role_name}"
  log_groups = { for stream in ["error", "output"] : stream => "${local.log_folder}/${stream}" }

  mapping_in_s3 = var.event_mapping.s3
  mapping_setting = try(
    "s3://${local.mapping_in_s3.bucket}/${local.mapping_in_s3.key}#${var.event_mapping.sha256}",
    var.event_mapping.text
  )

  arguments = merge(
    {
      "--S3_JSON_INPUT_PATH"              = "s3://${var.logs.bucket}/${var.logs.prefix}"
      "--S3_CSV_OUTPUT_PATH"              = "s3://${var.output.bucket}/${var.output.prefix}"
      "--event_mapping"                   = local.mapping_setting
      "--overlap"                         = tostring(var.window.overlap_days)
      "--driver_events"                   = tostring(local.driver_events)
      "--custom-logGroup-prefix"          = local.log_prefix
      "--additional-python-modules"       = local.wheel_uris
      "--enable-auto-scaling"             = tostring(var.workers.autoscaling)
      "--enable-metrics"                  = "true"
      "--enable-observability-metrics"    = "true"
      "--extra-py-files"                  = "s3://${local.package.bucket}/${local.package.key}"
      "--job-language"                    = "python"
      "--python-modules-installer-option" = "--no-index --no-deps"
    },
    {
      for name, value in {
        "--since"            = var.window.since
        "--until"            = var.window.until
        "--stage"            = try("s3://${var.stage.bucket}/${var.stage.prefix}", null)
        "--suppression_list" = try("s3://${var.suppression_list.bucket}/${var.suppression_list.key}", null)
        "--profile_table"    = try(var.profiles.table_arn, null)
        "--profile_queue"    = try(var.profiles.queue_arn, null)
      } : name => value if value != null
    },
  )
}

resource "aws_s3_object" "script" {
  #checkov:skip=CKV_AWS_186:The bucket encrypts objects, with its key if it has one.
  bucket      = local.script.bucket
  key         = local.script.key
  source      = local.script_path
  source_hash = fileexists(local.script_path) ? filesha256(local.script_path) : null

  # S3 objects can have ten tags. The caller's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.script_path)
      error_message = "The file ${local.script_path} doesn't exist. Set the path of glue/segment_to_personalize.py."
    }
  }
}

resource "aws_s3_object" "package" {
  #checkov:skip=CKV_AWS_186:The bucket encrypts objects, with its key if it has one.
  count = var.package.s3 == null ? 1 : 0

  bucket      = local.package.bucket
  key         = local.package.key
  source      = local.package_path
  source_hash = fileexists(local.package_path) ? filesha256(local.package_path) : null

  # S3 objects can have ten tags. The caller's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.package_path)
      error_message = "The file ${local.package_path} doesn't exist. Run `make package` first, or set `package`."
    }
  }
}

resource "aws_s3_object" "wheel" {
  #checkov:skip=CKV_AWS_186:The bucket encrypts objects, with its key if it has one.
  for_each = var.wheels.s3 == null ? fileset(local.wheels_path, "*.whl") : []

  bucket      = local.wheels.bucket
  key         = "${var.artifacts.prefix}${local.job_name}/wheels/${each.key}"
  source      = "${local.wheels_path}/${each.key}"
  source_hash = filesha256("${local.wheels_path}/${each.key}")

  # S3 objects can have ten tags. The caller's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

resource "aws_cloudwatch_log_group" "job" {
  #checkov:skip=CKV_AWS_158:Encrypted with kms_key if set. The logs hold counts, not events.
  #checkov:skip=CKV_AWS_338:Retention is an input. A year of a job's logs is rarely useful.
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = try(var.kms_key.arn, null)
  tags              = var.tags
}

resource "aws_glue_security_configuration" "job" {
  #checkov:skip=CKV_AWS_99:The bucket encrypts the data, with its key if it has one. The job uses no bookmarks.
  count = var.kms_key == null ? 0 : 1

  name = local.job_name

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = var.kms_key.arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "DISABLED"
    }

    # The bucket's key or none: Personalize's role can't decrypt training data under the key of the logs.
    s3_encryption {
      s3_encryption_mode = var.output.kms_key_arn == null ? "DISABLED" : "SSE-KMS"
      kms_key_arn        = var.output.kms_key_arn
    }
  }
}

resource "aws_glue_job" "history" {
  #checkov:skip=CKV_AWS_195:A security configuration exists if kms_key is set.
  name              = local.job_name
  description       = "Turns Segment logs into Personalize training data. Event mapping ${var.event_mapping.sha256}."
  role_arn          = aws_iam_role.history.arn
  glue_version      = var.glue_version
  execution_class   = "STANDARD"
  worker_type       = var.workers.type
  number_of_workers = var.workers.number
  timeout           = var.timeout_minutes
  max_retries       = var.max_retries
  default_arguments = local.arguments
  tags              = var.tags

  security_configuration = one(aws_glue_security_configuration.job[*].name)

  command {
    script_location = "s3://${aws_s3_object.script.bucket}/${aws_s3_object.script.key}"
    python_version  = "3"
  }

  execution_property {
    # Concurrent runs would replace each other's output.
    max_concurrent_runs = 1
  }

  lifecycle {
    precondition {
      condition     = length(local.wheels.keys) > 0
      error_message = "The folder ${local.wheels_path} has no wheels. Run `make package` first, or set `wheels`."
    }

    precondition {
      # Glue accepts 260 KB of arguments. Linux accepts 128 KiB per argument, including the final zero byte.
      condition = length(base64encode(local.mapping_setting)) / 4 * 3 <= 131070
      error_message = join(" ", [
        "The event mapping has ${length(var.event_mapping.text)} characters. Use a mapping of at most",
        "131070 bytes, the limit of a job argument.",
      ])
    }
  }

  # The provider doesn't retry CreateJob while IAM propagates the role, so the job comes last: after all policies, and
  # after the bucket, whose lifecycle rules alone take half a minute when the same apply creates them.
  depends_on = [
    aws_cloudwatch_log_group.job,
    aws_iam_role_policy.keep_stage,
    aws_iam_role_policy.load_profiles,
    aws_iam_role_policy.metrics,
    aws_iam_role_policy.read_code,
    aws_iam_role_policy.read_logs,
    aws_iam_role_policy.read_suppression_list,
    aws_iam_role_policy.write_job_logs,
    aws_iam_role_policy.write_output,
    aws_s3_object.package,
    aws_s3_object.wheel,
  ]
}
