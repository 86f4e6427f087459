# One of each kind that the stack has and that moto was corrected for; small, since creating a queue takes the
# provider half a minute whatever answers it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

# The server refuses what it doesn't have; trying that 25 times would take minutes.
provider "aws" {
  max_retries = 2
}

variable "package_path" {
  description = "Zip with a module `app` that has a `handler`."
  type        = string
  nullable    = false
}

locals {
  name = "emulated"
}

resource "aws_s3_bucket" "data" {
  bucket        = "${local.name}-data"
  force_destroy = true
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.data.arn, "${aws_s3_bucket.data.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = data.aws_iam_policy_document.tls_only.json
}

resource "aws_s3_bucket_notification" "data" {
  bucket      = aws_s3_bucket.data.id
  eventbridge = true
}

resource "aws_s3_object" "script" {
  bucket  = aws_s3_bucket.data.id
  key     = "script.py"
  content = "print('hello')"

  depends_on = [aws_s3_bucket_policy.data]
}

resource "aws_kms_key" "data" {
  enable_key_rotation     = true
  rotation_period_in_days = 180
  deletion_window_in_days = 7
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com", "lambda.amazonaws.com", "states.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "all" {
  name               = local.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "glue" {
  role       = aws_iam_role.all.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole"
}

resource "aws_sqs_queue" "dead" {
  name = "${local.name}-dead"

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:aws:sqs:us-east-1:123456789012:${local.name}"]
  })
}

resource "aws_sqs_queue" "rows" {
  name                       = local.name
  visibility_timeout_seconds = 30

  redrive_policy = jsonencode({
    deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:${aws_sqs_queue.dead.name}"
    maxReceiveCount     = 3
  })
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/own/${local.name}"
  retention_in_days = 7
}

resource "aws_lambda_function" "rows" {
  function_name    = local.name
  role             = aws_iam_role.all.arn
  runtime          = "python3.13"
  handler          = "app.handler"
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  timeout          = 20
  publish          = true

  environment {
    variables = {
      BUCKET    = aws_s3_bucket.data.id
      PARAMETER = aws_ssm_parameter.greeting.name
    }
  }

  dead_letter_config {
    target_arn = "arn:aws:sqs:us-east-1:123456789012:${local.name}-dead"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.rows.function_name
  function_version = aws_lambda_function.rows.version
}

resource "aws_lambda_event_source_mapping" "rows" {
  function_name           = aws_lambda_alias.live.arn
  event_source_arn        = aws_sqs_queue.rows.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}

resource "aws_ssm_parameter" "greeting" {
  name  = "/${local.name}/greeting"
  type  = "String"
  value = "hello"
}

resource "aws_glue_job" "history" {
  name            = local.name
  role_arn        = aws_iam_role.all.arn
  glue_version    = "5.0"
  execution_class = "STANDARD"

  command {
    script_location = "s3://${aws_s3_bucket.data.id}/${aws_s3_object.script.key}"
  }
}

resource "aws_sfn_state_machine" "refresh" {
  name     = local.name
  role_arn = aws_iam_role.all.arn

  # Known at plan, so that the provider has it validated there.
  definition = jsonencode({
    StartAt = "History"
    States = {
      History = {
        Type       = "Task"
        Resource   = "arn:aws:states:::glue:startJobRun.sync"
        Parameters = { JobName = local.name }
        ResultPath = null
        Next       = "Greet"
      }
      Greet = {
        Type       = "Task"
        Resource   = "arn:aws:states:::lambda:invoke"
        Parameters = { FunctionName = "${local.name}:live", Payload = { by = "states" } }
        OutputPath = "$.Payload"
        End        = true
      }
    }
  })
}

output "state_machine_arn" {
  description = "The state machine."
  value       = aws_sfn_state_machine.refresh.arn
}

output "queue_url" {
  description = "The queue that the function consumes."
  value       = aws_sqs_queue.rows.url
}
