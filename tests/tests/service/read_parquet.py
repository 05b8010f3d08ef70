"""Prints a Parquet file as pyarrow reads it: first what it is, then its rows, one JSON object a line."""

import json
import sys
import uuid

import pyarrow
import pyarrow.parquet

file = pyarrow.parquet.ParquetFile(sys.argv[1])
types = {field.name: str(field.type) for field in file.schema_arrow}
groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
codecs = {group.column(index).compression for group in groups for index in range(group.num_columns)}
print(json.dumps({"types": types, "groups": len(groups), "rows": file.metadata.num_rows, "codecs": sorted(codecs)}))

table = file.read()
table.validate(full=True)
assert not any(column.null_count for column in table.columns)
for row in table.to_pylist():
    event_id = row["eventId"]
    row["eventId"] = str(event_id if isinstance(event_id, uuid.UUID) else uuid.UUID(bytes=event_id))
    row["recordedAt"] = row["recordedAt"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    print(json.dumps(row))
