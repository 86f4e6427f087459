# The real provider, without network access: policies and plans are real.
provider "aws" {
  region                      = "us-west-2"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name          = "shop"
  function_arns = ["arn:aws:lambda:us-west-2:123456789012:function:shop-event:live"]
  external_ids  = ["4aJ2kQ9x"]
}

run "accepts_a_function_without_an_alias" {
  command = plan

  variables {
    function_arns = ["arn:aws:lambda:us-west-2:123456789012:function:shop-event"]
  }

  assert {
    condition = jsondecode(
      aws_iam_role_policy.invoke.policy
    ).Statement[0].Resource == "arn:aws:lambda:us-west-2:123456789012:function:shop-event"
    error_message = "Without the alias then."
  }
}

run "refuses_no_external_id" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = []
  }

  expect_failures = [var.external_ids]
}

run "refuses_an_empty_external_id" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = [""]
  }

  expect_failures = [var.external_ids]
}

run "refuses_an_external_id_in_brackets" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["<workspace>"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_an_external_id_with_a_blank" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["my workspace"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_an_external_id_of_one_character" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_an_external_id_of_1225_characters" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = [replace(format("%1225s", "4"), " ", "4")]
  }

  expect_failures = [var.external_ids]
}

run "accepts_external_ids_of_every_kind" {
  command = plan

  variables {
    external_ids = [
      "4a",
      replace(format("%1224s", "4"), " ", "4"),
      "ws=a+b,c.d@e:f/g-h_i",
      "yourshop",
      "example2workspace",
      "9f6d1d2c-8a3b-4f0e-b1c7-2d3e4f5a6b7c",
      "12345678901",
    ]
  }

  assert {
    condition = length(
      jsondecode(aws_iam_role.segment.assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"]
    ) == 7
    error_message = "All of them may be used."
  }
}

run "refuses_the_placeholder_changeme" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "changeme"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_change_me_in_capitals" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "CHANGE_ME"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_external_id" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "external_id"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_your_workspace_id" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "your-workspace-id"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_your_workspace_id_in_capitals" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "YOUR_WORKSPACE_ID"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_xxx" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "xxx"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_example" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "example"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_123456" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "123456"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_placeholder" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "placeholder"]
  }

  expect_failures = [var.external_ids]
}

run "refuses_the_placeholder_workspace_id" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    external_ids = ["4aJ2kQ9x", "workspace_id"]
  }

  expect_failures = [var.external_ids]
}

run "takes_null_for_segments_role_of_today" {
  command = plan

  variables {
    principal_arns = null
  }

  assert {
    condition = jsondecode(
      aws_iam_role.segment.assume_role_policy
    ).Statement[0].Principal.AWS == "arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access"
    error_message = "The default."
  }
}

run "accepts_other_principals" {
  command = plan

  variables {
    principal_arns = ["arn:aws:iam::210987654321:role/path/segment", "arn:aws:iam::210987654321:user/segment"]
  }

  assert {
    condition = jsondecode(aws_iam_role.segment.assume_role_policy).Statement[0].Principal.AWS == [
      "arn:aws:iam::210987654321:user/segment",
      "arn:aws:iam::210987654321:role/path/segment",
    ]
    error_message = "These and no others."
  }
}

run "refuses_an_empty_prefix" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    logs = { bucket = "shop-logs", prefix = "" }
  }

  expect_failures = [var.logs]
}

run "refuses_an_alias_for_the_key" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    logs = {
      bucket      = "shop-logs"
      prefix      = "segment-logs/"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:alias/shop"
    }
  }

  expect_failures = [var.logs]
}

run "refuses_no_principal_for_the_logs" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    logs = { bucket = "shop-logs", prefix = "segment-logs/", principal_arns = [] }
  }

  expect_failures = [var.logs]
}

run "refuses_a_whole_account_as_principal_for_the_logs" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    logs = { bucket = "shop-logs", prefix = "segment-logs/", principal_arns = ["arn:aws:iam::595280932656:root"] }
  }

  expect_failures = [var.logs]
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a name of 21 characters
    name = "a23456789012345678901"

    # refuses no function
    function_arns = []

    # refuses no principal
    principal_arns = []

    # refuses an address for the bucket
    logs = { bucket = "s3://shop-logs", prefix = "segment-logs/" }

    # refuses a boundary that isn't a policy
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [
    var.name,
    var.function_arns,
    var.principal_arns,
    var.logs,
    var.permissions_boundary_arn,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a name in capitals
    name = "Shop"

    # refuses a name for the arn of a function
    function_arns = ["shop-event"]

    # refuses a whole account as principal
    principal_arns = ["arn:aws:iam::595280932656:root"]

    # refuses a prefix without a slash at its end
    logs = { bucket = "shop-logs", prefix = "segment-logs" }
  }

  expect_failures = [
    var.name,
    var.function_arns,
    var.principal_arns,
    var.logs,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a name that ends with a hyphen
    name = "shop-"

    # refuses all functions
    function_arns = ["arn:aws:lambda:us-west-2:123456789012:function:*"]

    # refuses everybody as principal
    principal_arns = ["*"]

    # refuses a prefix with a slash in front
    logs = { bucket = "shop-logs", prefix = "/segment-logs/" }
  }

  expect_failures = [
    var.name,
    var.function_arns,
    var.principal_arns,
    var.logs,
  ]
}
