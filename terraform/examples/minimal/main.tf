# The minimum. Everything else has a default. Region and credentials come from the environment.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

variable "write_key" {
  description = "Write key of the Segment source that receives recommendations."
  type        = string
  ephemeral   = true
  sensitive   = true
}

module "personalize" {
  source = "../.."

  name                  = "shop"
  segment_external_ids  = ["9sQx2TbZ4k"]
  write_key_secret      = null
  new_write_key         = var.write_key
  new_write_key_version = 1
}

output "segment" {
  description = "Values to enter in Segment."
  value       = module.personalize.segment
}

output "personalize" {
  description = "Spec for `personalize-segment apply`."
  value       = module.personalize.personalize
}
