# Two stacks in one account, for two workspaces of Segment, with what differs between them in one place.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

locals {
  stacks = {
    shop-eu = { external_id = "9sQx2TbZ4k", host = "https://events.eu1.segmentapis.com" }
    shop-us = { external_id = "3hWv8NcR1p", host = "https://api.segment.io" }
  }
}

module "personalize" {
  source   = "../.."
  for_each = local.stacks

  name                 = each.key
  segment_external_ids = [each.value.external_id]
  write_key_secret     = { name = "segment/${each.key}" }
  write_back           = { segment_host = each.value.host }
  tags                 = { workspace = each.key }
}

output "shop_eu" {
  description = "The outputs of the first; `terraform output -json` of it alone is what our commands read."
  value       = module.personalize["shop-eu"]
}

output "shop_us" {
  description = "The outputs of the second."
  value       = module.personalize["shop-us"]
}
