module "personalize_access" {
  source = "../../../../modules/personalize-access"

  name           = "shop"
  bucket         = { name = "shop-personalize-123456789012-us-east-1" }
  read_prefixes  = ["transformed/", "deletions/"]
  write_prefixes = ["reports/"]
}
