variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "event_mapping" {
  description = "The outputs of the module event-mapping, whose digest the statements must have."
  type        = object({ sha256 = string })
  nullable    = false
}

variable "output" {
  description = "Bucket, prefix and the bucket's KMS key for training data, a folder for each dataset."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output.bucket))
    error_message = "Write `bucket` as a bucket's name, without s3:// and without a path."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_.=-]+/)+$", var.output.prefix))
    error_message = "Write `prefix` with / at its end and none in front, such as \"transformed/\"."
  }

  validation {
    condition = var.output.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.output.kms_key_arn)
    )
    error_message = "Write `kms_key_arn` as the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "redshift" {
  description = "Schema of the Segment source, file of statements, and role that writes (null: a new one) for Redshift."
  type = object({
    schema   = string
    sql_path = string
    role     = optional(object({ arn = string }))
    # Gone, and kept for one release to be refused: Terraform would ignore it.
    role_arn = optional(string)
  })
  default = null

  validation {
    condition     = try(var.redshift.role_arn, null) == null
    error_message = "Write `role = { arn = … }` instead of `role_arn`."
  }

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,126}$", try(var.redshift.schema, "shop")))
    error_message = "Write `schema` in lower-case letters, digits and _, as Segment names schemas, such as \"shop\"."
  }

  validation {
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        try(coalesce(var.redshift.role.arn), "arn:aws:iam::123456789012:role/unload")
      )
    )
    error_message = "Write `role.arn` as the ARN of one role, such as arn:aws:iam::123456789012:role/unload."
  }

  # Each rule lets pass what an earlier one refuses: Terraform 1.11 evaluates both sides of ||, hence try.
  validation {
    condition = var.redshift == null || try(fileexists(var.redshift.sql_path), false)
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: the file doesn't exist.",
      "Write the path of what `personalize-segment sql redshift` prints.",
    ])
  }

  validation {
    condition = var.redshift == null || !try(fileexists(var.redshift.sql_path), false) || try(
      startswith(file(var.redshift.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"),
      false
    )
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: it was made from another event mapping than this stack has.",
      "Write the path of what `personalize-segment sql redshift --mapping …` prints for yours;",
      "`make generate` makes the file of the default mapping.",
    ])
  }
}

variable "snowflake" {
  description = "Schema of the Segment source, file of statements, storage integration and its trust for Snowflake."
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
    error_message = "Write `schema` in capital letters, digits, _ and $, as Snowflake does: \"SEGMENT.SHOP\"."
  }

  validation {
    condition = (
      can(regex("^[A-Z_][A-Z0-9_$]*$", try(var.snowflake.integration, "PERSONALIZE"))) &&
      !can(regex("^A[KS]IA[A-Z0-9]{12,}$", try(var.snowflake.integration, "PERSONALIZE")))
    )
    error_message = "Write the name of the `integration` in capital letters, digits, _ and $, never the id of a key."
  }

  validation {
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$",
        try(var.snowflake.trust.user_arn, "arn:aws:iam::123456789012:user/snowflake")
      )
    )
    error_message = "Write `user_arn` as DESC INTEGRATION shows STORAGE_AWS_IAM_USER_ARN, never an account or *."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{8,1000}$", try(var.snowflake.trust.external_id, "ABC_SFCRole=1")))
    error_message = "Write `external_id` as DESC INTEGRATION shows STORAGE_AWS_EXTERNAL_ID."
  }

  validation {
    condition = var.snowflake == null || try(fileexists(var.snowflake.sql_path), false)
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: the file doesn't exist.",
      "Write the path of what `personalize-segment sql snowflake` prints.",
    ])
  }

  validation {
    condition = var.snowflake == null || !try(fileexists(var.snowflake.sql_path), false) || try(
      startswith(file(var.snowflake.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"),
      false
    )
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: it was made from another event mapping than this stack has.",
      "Write the path of what `personalize-segment sql snowflake --mapping …` prints for yours;",
      "`make generate` makes the file of the default mapping.",
    ])
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Beginning of the roles' names (null: the stack and the region, since roles are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Write `iam_path` with / at both ends, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
