//! `loadtest.parquet`: a row for each run and stage.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use segmenta_engine::{EngineError, Result};

use super::{LoadTest, Run};
use segmenta_results::cost::StageReport;

/// The runs of a load test, as the bytes of a Parquet file: a row for each stage of a run, and one without a stage for a run
/// that failed. Columns of the run repeat: `run`, `rows`, `workers` (0 embedded, null for a cluster that was there),
/// `repeat`, `seconds`, `rows_per_second`, `speed_up`, `efficiency`, `worker_peak_memory_bytes`, `failure`; those of the stage:
/// `stage`, `stage_seconds`, `stage_rows`, `stage_passes`, `stage_peak_memory_bytes`, `stage_bytes_written`.
///
/// # Errors
/// Never for a load test that is at hand.
pub fn table(test: &LoadTest) -> Result<Vec<u8>> {
    encode(test).map_err(|error| EngineError::job(format!("loadtest.parquet cannot be made: {error}")))
}

fn encode(test: &LoadTest) -> std::result::Result<Vec<u8>, ParquetError> {
    let mut lines: Vec<(&Run, Option<&StageReport>)> = Vec::new();
    for run in &test.runs {
        if run.stages.is_empty() {
            lines.push((run, None));
        }
        lines.extend(run.stages.iter().map(|stage| (run, Some(stage))));
    }
    let texts = |of: fn(&Run) -> Option<&str>| -> ArrayRef {
        Arc::new(lines.iter().map(|(run, _)| of(run)).collect::<StringArray>())
    };
    let floats = |of: fn(&Run) -> Option<f64>| -> ArrayRef {
        Arc::new(lines.iter().map(|(run, _)| of(run)).collect::<Float64Array>())
    };
    let small = |of: fn(&Run) -> Option<u32>| -> ArrayRef {
        Arc::new(lines.iter().map(|(run, _)| of(run)).collect::<UInt32Array>())
    };
    let large = |of: fn(&Run) -> Option<u64>| -> ArrayRef {
        Arc::new(lines.iter().map(|(run, _)| of(run)).collect::<UInt64Array>())
    };
    let of_stage = |of: fn(&StageReport) -> Option<u64>| -> ArrayRef {
        Arc::new(lines.iter().map(|(_, stage)| stage.and_then(of)).collect::<UInt64Array>())
    };
    let stage_names: StringArray = lines.iter().map(|(_, stage)| stage.map(|stage| stage.stage.as_str())).collect();
    let stage_seconds: Float64Array = lines.iter().map(|(_, stage)| stage.map(|stage| stage.cost.seconds)).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("run", texts(|run| Some(&run.name)), false),
        ("rows", large(|run| Some(run.rows)), false),
        ("workers", small(|run| run.workers), true),
        ("repeat", small(|run| Some(run.repeat)), false),
        ("seconds", floats(|run| run.seconds), true),
        ("rows_per_second", floats(|run| run.rows_per_second), true),
        ("speed_up", floats(|run| run.speed_up), true),
        ("efficiency", floats(|run| run.efficiency), true),
        ("worker_peak_memory_bytes", large(|run| run.worker_peak_memory_bytes), true),
        ("failure", texts(|run| run.failure.as_deref()), true),
        ("stage", Arc::new(stage_names) as ArrayRef, true),
        ("stage_seconds", Arc::new(stage_seconds) as ArrayRef, true),
        ("stage_rows", of_stage(|stage| Some(stage.cost.rows)), true),
        ("stage_passes", of_stage(|stage| Some(stage.cost.passes)), true),
        ("stage_peak_memory_bytes", of_stage(|stage| stage.cost.peak_memory_bytes), true),
        ("stage_bytes_written", of_stage(|stage| Some(stage.cost.bytes_written)), true),
    ])?;
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_test, run};
    use super::*;
    use segmenta_results::published::Columns;

    #[test]
    fn a_row_for_each_run_and_stage() {
        let test = load_test(vec![run(10, Some(0), 1, Some(2.0), "a"), run(10, Some(1), 1, None, "a")], vec![]);
        let columns = Columns::parse(table(&test).unwrap().into()).unwrap();
        assert_eq!(columns.rows(), 3);
        assert_eq!(columns.numbers("stage_seconds").unwrap()[..2], [0.5, 1.5]);
        let failures = columns.texts("failure").unwrap();
        assert!(failures[0].is_none() && failures[2].as_ref().unwrap().contains("full"));
        assert_eq!(columns.numbers("workers").unwrap(), [0.0, 0.0, 1.0]);
    }
}
