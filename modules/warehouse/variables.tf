variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "event_mapping" {
  description = "Outputs of the module event-mapping, whose digest must match the statements."
  type        = object({ sha256 = string })
  nullable    = false
}

variable "output" {
  description = "Bucket, prefix and the bucket's KMS key for training data, with one folder per dataset."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output.bucket))
    error_message = "Set `bucket` to a bucket's name, without s3:// or a path."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_.=-]+/)+$", var.output.prefix))
    error_message = "End `prefix` with a slash, with none in front, such as \"transformed/\"."
  }

  validation {
    condition = var.output.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.output.kms_key_arn)
    )
    error_message = "Set `kms_key_arn` to the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "redshift" {
  description = "Redshift: schema of the Segment source, file of statements, and role that writes (null: a new role)."
  type = object({
    schema   = string
    sql_path = string
    role     = optional(object({ arn = string }))
    # Removed. Kept for one release and refused, because Terraform ignores unknown attributes.
    role_arn = optional(string)
  })
  default = null

  validation {
    condition     = try(var.redshift.role_arn, null) == null
    error_message = "Use `role = { arn = … }` instead of `role_arn`."
  }

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,126}$", try(var.redshift.schema, "shop")))
    error_message = "Use lowercase letters, digits and _ in `schema`, as Segment names schemas, such as \"shop\"."
  }

  validation {
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        try(coalesce(var.redshift.role.arn), "arn:aws:iam::123456789012:role/unload")
      )
    )
    error_message = "Set `role.arn` to the ARN of one role, such as arn:aws:iam::123456789012:role/unload."
  }

  # Each rule accepts what an earlier one refuses. Terraform 1.11 evaluates both sides of ||, hence try.
  validation {
    condition = var.redshift == null || try(fileexists(var.redshift.sql_path), false)
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: the file doesn't exist.",
      "Set the path of a file with the output of `personalize-segment sql redshift`.",
    ])
  }

  validation {
    condition = var.redshift == null || !try(fileexists(var.redshift.sql_path), false) || try(
      startswith(file(var.redshift.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"),
      false
    )
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: the file belongs to another event mapping than the stack's.",
      "Set the path of a file with the output of `personalize-segment sql redshift --mapping …` for yours.",
      "`make generate` writes the file for the default mapping.",
    ])
  }
}

variable "snowflake" {
  description = "Snowflake: schema of the Segment source, file of statements, storage integration and its trust."
  type = object({
    schema      = string
    sql_path    = string
    integration = string
    trust = optional(object({
      user_arn    = string
      external_id = string
    }))
  })
  default = null

  validation {
    condition     = can(regex("^([A-Z_][A-Z0-9_$]*[.])?[A-Z_][A-Z0-9_$]*$", try(var.snowflake.schema, "SHOP")))
    error_message = "Use uppercase letters, digits, _ and $ in `schema`, as Snowflake does: \"SEGMENT.SHOP\"."
  }

  validation {
    condition = (
      can(regex("^[A-Z_][A-Z0-9_$]*$", try(var.snowflake.integration, "PERSONALIZE"))) &&
      !can(regex("^A[KS]IA[A-Z0-9]{12,}$", try(var.snowflake.integration, "PERSONALIZE")))
    )
    error_message = "Use uppercase letters, digits, _ and $ in `integration`, and never the ID of a key."
  }

  validation {
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$",
        try(var.snowflake.trust.user_arn, "arn:aws:iam::123456789012:user/snowflake")
      )
    )
    error_message = "Set `user_arn` to STORAGE_AWS_IAM_USER_ARN from DESC INTEGRATION, never to an account or *."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{8,1000}$", try(var.snowflake.trust.external_id, "ABC_SFCRole=1")))
    error_message = "Set `external_id` to STORAGE_AWS_EXTERNAL_ID from DESC INTEGRATION."
  }

  validation {
    condition = var.snowflake == null || try(fileexists(var.snowflake.sql_path), false)
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: the file doesn't exist.",
      "Set the path of a file with the output of `personalize-segment sql snowflake`.",
    ])
  }

  validation {
    condition = var.snowflake == null || !try(fileexists(var.snowflake.sql_path), false) || try(
      startswith(file(var.snowflake.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"),
      false
    )
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: the file belongs to another event mapping than the stack's.",
      "Set the path of a file with the output of `personalize-segment sql snowflake --mapping …` for yours.",
      "`make generate` writes the file for the default mapping.",
    ])
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the roles (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Set the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Prefix of the roles' names (null: stack name and region, because role names are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Begin and end `iam_path` with a slash, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
