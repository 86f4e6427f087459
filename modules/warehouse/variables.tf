variable "name" {
  description = "Name of the stack, the beginning of all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter and not ending with -, such as \"shop\"."
  }
}

variable "event_mapping" {
  description = "The digest of the event mapping that everything else has: the outputs of the event-mapping module do. Statements that were made from another one are refused."
  type        = object({ sha256 = string })
  nullable    = false
}

variable "output" {
  description = "Where the training data goes: bucket, prefix with / at its end, and the bucket's KMS key. The folders of the datasets lie below."
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
    condition     = can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", coalesce(var.output.kms_key_arn, "arn:aws:kms:us-west-2:123456789012:key/1")))
    error_message = "Write `kms_key_arn` as the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "redshift" {
  description = "Redshift: the schema of the Segment source, the file of statements, and the role with which Redshift writes; null for `role`: one is made, for you to associate. Null: no Redshift."
  type = object({
    schema   = string
    sql_path = string
    role     = optional(object({ arn = string }))
  })
  default = null

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,126}$", try(var.redshift.schema, "shop")))
    error_message = "Write `schema` in lower-case letters, digits and _, as Segment names the schema of a source, such as \"shop\"."
  }

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", try(coalesce(var.redshift.role.arn), "arn:aws:iam::123456789012:role/unload")))
    error_message = "Write `role.arn` as the ARN of one role, such as arn:aws:iam::123456789012:role/unload."
  }

  # Each rule lets pass what an earlier one refuses: Terraform 1.11 evaluates both sides of ||, hence try.
  validation {
    condition     = var.redshift == null || try(fileexists(var.redshift.sql_path), false)
    error_message = "${try(var.redshift.sql_path, "")}: there is no such file. Write the path of what `personalize-segment sql redshift` prints."
  }

  validation {
    condition     = var.redshift == null || !try(fileexists(var.redshift.sql_path), false) || try(startswith(file(var.redshift.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"), false)
    error_message = "${try(var.redshift.sql_path, "")}: it was made from another event mapping than this stack has. Write the path of what `personalize-segment sql redshift --mapping …` prints for yours; `make generate` makes the file of the default mapping."
  }
}

variable "snowflake" {
  description = "Snowflake: the schema of the Segment source (or `DATABASE.SCHEMA`), the file of statements, the storage integration, and, once that is there, whom it comes as: what DESC INTEGRATION shows. Null: no Snowflake."
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
    error_message = "Write `schema` in capital letters, digits, _ and $, as Snowflake keeps it, such as \"SHOP\" or \"SEGMENT.SHOP\"."
  }

  validation {
    condition     = can(regex("^[A-Z_][A-Z0-9_$]*$", try(var.snowflake.integration, "PERSONALIZE"))) && !can(regex("^A[KS]IA[A-Z0-9]{12,}$", try(var.snowflake.integration, "PERSONALIZE")))
    error_message = "Write `integration` in capital letters, digits, _ and $, as Snowflake keeps it, and never a key's id, such as \"PERSONALIZE_SEGMENT\"."
  }

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$", try(var.snowflake.trust.user_arn, "arn:aws:iam::123456789012:user/snowflake")))
    error_message = "Write `user_arn` as DESC INTEGRATION shows STORAGE_AWS_IAM_USER_ARN; a whole account or * would let in others."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{8,1000}$", try(var.snowflake.trust.external_id, "ABC_SFCRole=1")))
    error_message = "Write `external_id` as DESC INTEGRATION shows STORAGE_AWS_EXTERNAL_ID."
  }

  validation {
    condition     = var.snowflake == null || try(fileexists(var.snowflake.sql_path), false)
    error_message = "${try(var.snowflake.sql_path, "")}: there is no such file. Write the path of what `personalize-segment sql snowflake` prints."
  }

  validation {
    condition     = var.snowflake == null || !try(fileexists(var.snowflake.sql_path), false) || try(startswith(file(var.snowflake.sql_path), "-- event mapping sha256: ${var.event_mapping.sha256}\n"), false)
    error_message = "${try(var.snowflake.sql_path, "")}: it was made from another event mapping than this stack has. Write the path of what `personalize-segment sql snowflake --mapping …` prints for yours; `make generate` makes the file of the default mapping."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles. Null: none."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", coalesce(var.permissions_boundary_arn, "arn:aws:iam::123456789012:policy/boundary")))
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Beginning of the names of the roles. Null: the name of the stack and the region, since IAM roles are global to the account."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", coalesce(var.name_prefix, "shop")))
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
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}
