"""The Glue job of Segment's documentation, re-created on plain PySpark: what ours is measured against.

    documented_glue.py faithful|early|charitable LOGS OUT

faithful    does what the sample does, DynamicFrames put into Spark's words: a count, for which each
            record is parsed; a Python filter that is handed each record as a whole, nested objects
            wrapped (awslabs/aws-glue-libs, DynamicFrame.filter); a second count; toDF(), for which the
            schema is computed from all that passes the filter; one partition; a CSV. Nothing is
            cached, so each of the last three runs the filter.
early       the same, but the schema is inferred when the logs are read, before any filter, as Spark
            would do it by itself.
charitable  the same as early, but the filter is a boolean UDF over the four columns that it looks at.

Glue needs no schema to read ("AWS Glue computes a schema on-the-fly when required", Glue's guide on
DynamicFrame) and needs one for toDF() ("can trigger an additional scan", awslabs/amazon-dynamodb-tools
issue 81). Spark needs one to read: faithful takes that of one file, which costs next to nothing.

The sample's bugs (lost orders, no reasons, no dedupe) are left in; only its time is of interest.
"""

import sys
from pathlib import Path

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
    reader = spark.read.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.gz")
    if form == "faithful":
        source = reader.schema(spark.read.json(str(next(Path(logs).rglob("*.gz")))).schema).json(logs)
    else:
        source = reader.json(logs)
    # DataFrame.count() would not look into the records; DynamicFrame.count() does.
    print("Input file total record count:", source._jdf.queryExecution().toRdd().count())
    chosen: DataFrame
    if form == "charitable":
        test = F.udf(
            lambda anonymous, user, sku, event: bool(anonymous and user and sku and event in SUPPORTED), BooleanType()
        )
        chosen = source.where(test("anonymousId", "userId", "properties.sku", "event"))
    else:
        # Glue takes what Python gives back as it is.
        chosen = spark.createDataFrame(source.rdd.filter(wanted), source.schema, verifySchema=False)
    print("Filtered record count:", chosen.count())
    mapped = chosen.select(
        F.col("anonymousId").alias("ANONYMOUS_ID"),
        F.col("userId").alias("USER_ID"),
        F.col("properties.sku").alias("ITEM_ID"),
        F.col("event").alias("EVENT_TYPE"),
        F.col("timestamp").alias("TIMESTAMP_ISO"),
    )
    if form == "faithful":
        # toDF(): to look at every record that is left, and do nothing with it, is the least that a schema costs.
        mapped.write.format("noop").mode("overwrite").save()
    spark.conf.set("spark.sql.legacy.timeParserPolicy", "CORRECTED")
    stamped = mapped.repartition(1).withColumn(
        "TIMESTAMP", F.unix_timestamp("TIMESTAMP_ISO", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
    )
    stamped.write.mode("overwrite").csv(out, header=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
