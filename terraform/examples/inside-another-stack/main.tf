# As part of a larger stack: alarms go to an existing topic, the refresh runs at night, and tags and roles follow the
# stack's conventions.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

variable "package" {
  description = "Package built by `make package`, in S3. Without its SHA-256, new code under that key isn't deployed."
  type = object({
    bucket        = string
    key           = string
    sha256_base64 = string
  })
}

resource "aws_sns_topic" "on_call" {
  #checkov:skip=CKV_AWS_26:CloudWatch can't publish with the key alias/aws/sns. Alarms contain no users or events.
  name = "on-call"
}

resource "aws_ssm_parameter" "function" {
  name  = "/destinations/personalize/function"
  type  = "String"
  value = module.recommendations.segment.function_arn
}

module "recommendations" {
  source = "../../"

  name                 = "streaming"
  segment_external_ids = ["9sQx2TbZ4k"]
  write_key_secret     = { name = "segment/streaming" }
  package              = { s3 = var.package }
  # The domain requires item columns that the default mapping doesn't have.
  event_mapping_path = "${path.module}/event_mapping.json"

  personalize = {
    domain = "VIDEO_ON_DEMAND"
    recommenders = {
      top-picks = { recipe = "aws-vod-top-picks" }
    }
    filters = {
      unwatched = "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN (\"Watch\")"
    }
  }
  recommend  = { recommender = "top-picks", filter = "unwatched", count = 10 }
  write_back = { events = ["Video Playback Completed"], shape = "object" }
  monitoring = { alarm_topic_arns = [aws_sns_topic.on_call.arn] }
  refresh    = { schedule = { expression = "cron(0 3 * * ? *)", time_zone = "Europe/Berlin" } }
  functions  = { tracing = true, reserved_concurrency = 50, segment_regions = ["us-west-2", "us-east-1"] }
  tags       = { team = "growth" }
}

output "personalize" {
  description = "Spec for `personalize-segment apply`."
  value       = module.recommendations.personalize
}
