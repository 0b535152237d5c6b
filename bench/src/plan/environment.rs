//! What the process's environment adds to the flags.

use clw_core::secret::Secret;

/// The environment variables that a plan depends on.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `CLW_TOKEN`.
    pub token: Option<Secret>,
    /// `JOB_COMPLETION_INDEX`, as Kubernetes sets it in an indexed job.
    pub job_index: Option<String>,
    /// `JOB_COMPLETIONS`, to be set by the job's author to the number of completions.
    pub job_count: Option<String>,
    /// `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, else `OTEL_EXPORTER_OTLP_HEADERS`: what `--otlp` sends along.
    pub otlp_headers: Option<Secret>,
}

impl Environment {
    /// That of this process. Empty variables count as unset.
    pub fn of_process() -> Self {
        let read = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            token: read("CLW_TOKEN").map(Secret::new),
            job_index: read("JOB_COMPLETION_INDEX"),
            job_count: read("JOB_COMPLETIONS"),
            otlp_headers: read("OTEL_EXPORTER_OTLP_METRICS_HEADERS")
                .or_else(|| read("OTEL_EXPORTER_OTLP_HEADERS"))
                .map(Secret::new),
        }
    }
}
