//! Traces across processes, for OpenTelemetry: the span that a plan is run in travels with the plan's settings, and the spans of
//! its tasks become its children, whichever worker they run on.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::{Result, config_err};
use datafusion::prelude::SessionConfig;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What travels with a plan beside Ballista's settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// The span that the plan runs in, as a `traceparent` of W3C's Trace Context; empty where nothing is traced.
    parent: String,
}

const PARENT: &str = "traceparent";

impl ConfigExtension for Trace {
    const PREFIX: &'static str = "segmenta";
}

impl ExtensionOptions for Trace {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if key != PARENT {
            return config_err!("there is no setting {}.{key}", Self::PREFIX);
        }
        value.clone_into(&mut self.parent);
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        // By their full names, because the other end sets them by these.
        vec![ConfigEntry {
            key: format!("{}.{PARENT}", Self::PREFIX),
            value: Some(self.parent.clone()),
            description: "the span that a plan is run in",
        }]
    }
}

/// The settings of a plan that runs in the current span.
pub(crate) fn carried(mut config: SessionConfig) -> SessionConfig {
    if let Some(trace) = config.options_mut().extensions.get_mut::<Trace>() {
        trace.parent = write(Span::current().context().span().span_context());
    }
    config
}

/// Makes a task's span a child of the span that its plan runs in.
pub(crate) fn adopt(config: &SessionConfig, task: &Span) {
    let parent = config.options().extensions.get::<Trace>().and_then(|trace| read(&trace.parent));
    if let Some(parent) = parent {
        // Without a collector there is nothing to be a child of.
        let _ = task.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
}

fn write(span: &SpanContext) -> String {
    if !span.is_valid() {
        return String::new();
    }
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

fn read(parent: &str) -> Option<SpanContext> {
    let mut fields = parent.split('-').skip(1);
    let trace = TraceId::from_hex(fields.next()?).ok()?;
    let span = SpanId::from_hex(fields.next()?).ok()?;
    let flags = u8::from_str_radix(fields.next()?, 16).ok()?;
    let context = SpanContext::new(trace, span, TraceFlags::new(flags), true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::extension::{SessionConfigExt, SessionConfigHelperExt};

    #[test]
    fn settings_that_travelled_are_the_same() {
        let sent = SessionConfig::new_with_ballista().with_option_extension(Trace { parent: "x".to_owned() });
        let received = SessionConfig::new_with_ballista().with_option_extension(Trace::default());
        let received = received.update_from_key_value_pair(&sent.to_key_value_pairs());
        assert_eq!(received.options().extensions.get::<Trace>().unwrap().parent, "x");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(write(&read(text).unwrap()), text);
        assert_eq!(write(&SpanContext::empty_context()), "");
        for wrong in ["", "00", "00-zz-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
        {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
