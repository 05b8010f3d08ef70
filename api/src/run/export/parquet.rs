//! Events as rows of a Parquet file: typed columns, compressed, in row groups that bound what is held in memory.

use std::sync::Arc;

use palaver_eventstore::transfer::RawEvent;
use parquet::{
    basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
    errors::{ParquetError, Result},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{ColumnPath, Type, TypePtr},
};

/// Rows and bytes of text at which a row group is complete. Readers like large ones; memory does not.
const GROUP_ROWS_MAX: usize = 100_000;
const GROUP_BYTES_MAX: usize = 32 * 1_024 * 1_024;

const UUID_BYTES: i32 = 16;

/// The columns of a row group in the making.
#[derive(Default)]
struct Group {
    position: Vec<i64>,
    event_id: Vec<FixedLenByteArray>,
    tenant_id: Vec<ByteArray>,
    aggregate_type: Vec<ByteArray>,
    aggregate_id: Vec<ByteArray>,
    sequence: Vec<i64>,
    event_type: Vec<ByteArray>,
    event_version: Vec<ByteArray>,
    payload: Vec<ByteArray>,
    metadata: Vec<ByteArray>,
    recorded_at: Vec<i64>,
    bytes: usize,
}

pub(super) struct Rows {
    writer: SerializedFileWriter<Vec<u8>>,
    group: Group,
}

fn schema() -> Result<TypePtr> {
    let column = |name: &str, physical, logical, length| {
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        column.with_logical_type(logical).with_length(length).build().map(Arc::new)
    };
    let number = |name| column(name, Physical::INT64, None, -1);
    let text = |name| column(name, Physical::BYTE_ARRAY, Some(LogicalType::String), -1);
    let time = LogicalType::timestamp(true, TimeUnit::MICROS);
    let fields = vec![
        number("position")?,
        column("eventId", Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), UUID_BYTES)?,
        text("tenantId")?,
        text("aggregateType")?,
        text("aggregateId")?,
        number("sequence")?,
        text("eventType")?,
        text("eventVersion")?,
        text("payload")?,
        text("metadata")?,
        column("recordedAt", Physical::INT64, Some(time), -1)?,
    ];
    Ok(Arc::new(Type::group_type_builder("event").with_fields(fields).build()?))
}

/// Dictionaries where values repeat; none, and no least and greatest value, where each is its own.
fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("palaver ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in ["position", "sequence", "recordedAt"] {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["eventId", "payload", "metadata"] {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    properties.build()
}

impl Rows {
    pub fn begin() -> Result<Self> {
        let writer = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties()))?;
        Ok(Self { writer, group: Group::default() })
    }

    /// Adds a row, and to `bytes` a row group when that completes one.
    pub fn push(&mut self, event: RawEvent, bytes: &mut Vec<u8>) -> Result<()> {
        self.group.push(event);
        if self.group.position.len() >= GROUP_ROWS_MAX || self.group.bytes >= GROUP_BYTES_MAX {
            self.write_group()?;
            self.hand_over(bytes)?;
        }
        Ok(())
    }

    /// Adds what is left, and the index of the file.
    pub fn end(mut self, bytes: &mut Vec<u8>) -> Result<()> {
        if !self.group.position.is_empty() {
            self.write_group()?;
        }
        self.writer.finish()?;
        self.hand_over(bytes)
    }

    /// The writer counts what it was given, so its bytes may go on.
    fn hand_over(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        self.writer.flush()?;
        bytes.append(self.writer.inner_mut());
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        let mut writer = self.writer.next_row_group()?;
        write::<Int64Type>(&mut writer, &group.position)?;
        write::<FixedLenByteArrayType>(&mut writer, &group.event_id)?;
        write::<ByteArrayType>(&mut writer, &group.tenant_id)?;
        write::<ByteArrayType>(&mut writer, &group.aggregate_type)?;
        write::<ByteArrayType>(&mut writer, &group.aggregate_id)?;
        write::<Int64Type>(&mut writer, &group.sequence)?;
        write::<ByteArrayType>(&mut writer, &group.event_type)?;
        write::<ByteArrayType>(&mut writer, &group.event_version)?;
        write::<ByteArrayType>(&mut writer, &group.payload)?;
        write::<ByteArrayType>(&mut writer, &group.metadata)?;
        write::<Int64Type>(&mut writer, &group.recorded_at)?;
        writer.close()?;
        Ok(())
    }
}

/// Writes the next column of the row group, in the schema's order.
fn write<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: &[T::T]) -> Result<()> {
    let column = group.next_column()?;
    let mut column =
        column.ok_or_else(|| ParquetError::General("there are more columns than the schema has".into()))?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

impl Group {
    fn push(&mut self, event: RawEvent) {
        let text = |text: String| ByteArray::from(text.into_bytes());
        self.bytes += event.payload.len() + event.metadata.len();
        self.position.push(event.position);
        self.event_id.push(event.event_id.as_bytes().to_vec().into());
        self.tenant_id.push(text(event.tenant_id));
        self.aggregate_type.push(text(event.aggregate_type));
        self.aggregate_id.push(text(event.aggregate_id));
        self.sequence.push(event.sequence);
        self.event_type.push(text(event.event_type));
        self.event_version.push(text(event.event_version));
        self.payload.push(text(event.payload));
        self.metadata.push(text(event.metadata));
        self.recorded_at.push(event.recorded_at.timestamp_micros());
    }
}
