# Two stacks in one account, for two Segment workspaces. Their differences are in one place.

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
  description = "Outputs of the first stack, for the commands: `terraform output -json NAME`."
  value       = module.personalize["shop-eu"]
}

output "shop_us" {
  description = "Outputs of the second stack."
  value       = module.personalize["shop-us"]
}
