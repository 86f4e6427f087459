"""The Glue job of Segment's documentation, re-created on plain PySpark: what ours is measured against.

    documented_glue.py faithful|charitable LOGS OUT

faithful    does what the sample does, DynamicFrames put into Spark's words: schema inference
            over all records; a count, for which each record is parsed; a Python filter that is
            handed each record as a whole, nested objects wrapped (awslabs/aws-glue-libs,
            DynamicFrame.filter); a second count; one partition; a CSV.
charitable  the same, but the filter is a boolean UDF over the four columns that it looks at.

Its bugs (lost orders, no reasons, no dedupe) are left in; only its time is of interest.
"""

import sys

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

SUPPORTED = ["Product Added", "Order Completed", "Product Clicked"]


def wanted(row: Row) -> bool:
    record = row.asDict(recursive=True)
    return bool(
        record["anonymousId"]
        and record["userId"]
        and record["properties"]
        and record["properties"]["sku"]
        and record["event"] in SUPPORTED
    )


def main(form: str, logs: str, out: str) -> None:
    spark = SparkSession.builder.appName("documented").getOrCreate()
    source = spark.read.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.gz").json(logs)
    # DataFrame.count() would not look into the records; DynamicFrame.count() does.
    print("Input file total record count:", source._jdf.queryExecution().toRdd().count())
    chosen: DataFrame
    if form == "faithful":
        chosen = spark.createDataFrame(source.rdd.filter(wanted), source.schema)
    else:
        test = F.udf(
            lambda anonymous, user, sku, event: bool(anonymous and user and sku and event in SUPPORTED), BooleanType()
        )
        chosen = source.where(test("anonymousId", "userId", "properties.sku", "event"))
    print("Filtered record count:", chosen.count())
    one = chosen.select(
        F.col("anonymousId").alias("ANONYMOUS_ID"),
        F.col("userId").alias("USER_ID"),
        F.col("properties.sku").alias("ITEM_ID"),
        F.col("event").alias("EVENT_TYPE"),
        F.col("timestamp").alias("TIMESTAMP_ISO"),
    ).repartition(1)
    spark.conf.set("spark.sql.legacy.timeParserPolicy", "CORRECTED")
    stamped = one.withColumn("TIMESTAMP", F.unix_timestamp("TIMESTAMP_ISO", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"))
    stamped.write.mode("overwrite").csv(out, header=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
