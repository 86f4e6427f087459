# Segment's side with Segment's provider, instead of `personalize-segment segment apply`. The only example that no test
# applies: see "With Segment's Terraform provider" in docs/segment.md.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
    # It reads its token from PUBLIC_API_TOKEN and, for a workspace in the EU, its URL from PUBLIC_API_URL.
    segment = {
      source  = "segmentio/segment"
      version = ">= 1.0, < 2.0"
    }
  }
}

variable "workspace_id" {
  description = "ID of the Segment workspace, which its destinations send as the external ID."
  type        = string
}

variable "source_ids" {
  description = "IDs of the Segment sources to send events from, keyed by names you choose."
  type        = map(string)
}

variable "destination_type_id" {
  description = "ID of Amazon Personalize in Segment's destination catalog."
  type        = string
}

variable "destination_filters" {
  description = "Whether to drop events that aren't in the mapping, which requires Segment's Business tier."
  type        = bool
  default     = true
}

locals {
  name = "shop"
}

module "personalize" {
  source = "../.."

  name                 = local.name
  segment_external_ids = [var.workspace_id]
  # `segment_source` would store the write key in state. `personalize-segment segment apply` doesn't.
  write_key_secret = { name = "${local.name}/segment-write-key" }
}

resource "segment_destination" "personalize" {
  for_each = var.source_ids

  name      = "${local.name}: Amazon Personalize"
  enabled   = true
  source_id = each.value
  metadata  = { id = var.destination_type_id }
  settings = jsonencode({
    function    = module.personalize.segment.function_arn
    roleAddress = module.personalize.segment.role_arn
    region      = module.personalize.segment.region
    externalId  = var.workspace_id
    logType     = "None"
  })
}

resource "segment_destination_filter" "known_events" {
  for_each = var.destination_filters ? var.source_ids : {}

  destination_id = segment_destination.personalize[each.key].id
  source_id      = each.value
  title          = "${local.name}: events that the event mapping knows"
  if             = "!( ${module.personalize.segment.destination_filter} )"
  enabled        = true
  actions        = [{ type = "DROP" }]
}

output "segment" {
  description = "Input for `personalize-segment segment plan`, which compares it with the workspace."
  value       = module.personalize.segment
}

output "personalize" {
  description = "Spec for `personalize-segment apply`."
  value       = module.personalize.personalize
}
