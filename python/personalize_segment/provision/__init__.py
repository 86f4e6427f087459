"""The resources of Personalize that Terraform can't manage: spec, plan, apply, destroy."""
