module "segment_access" {
  source = "../../../../modules/segment-access"

  name          = "shop"
  function_arns = ["arn:aws:lambda:us-east-1:123456789012:function:shop-event:live"]
  external_ids  = ["9sQx2TbZ4k"]
}
