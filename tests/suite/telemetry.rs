//! Spans that reach an OpenTelemetry collector: of a job, its stages and plans from the coordinator, and of their tasks from the
//! workers, in one trace.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::coordinator::Site;
use crate::support::{Said, cdnow_spec, folder, segmenta_with};

/// Keeps the spans it is sent, by the service they come from.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<BTreeMap<String, Vec<Span>>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap();
        for sent in request.into_inner().resource_spans {
            let attributes = sent.resource.unwrap().attributes;
            let service = attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
            let Some(Value::StringValue(service)) = service.value.unwrap().value else { panic!("no service") };
            let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
            kept.entry(service).or_default().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Serves on a port of its own for as long as the runtime is there.
    fn serve(&self, runtime: &Runtime) -> SocketAddr {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(TraceServiceServer::new(self.clone()));
        runtime.spawn(async move { server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap() });
        address
    }

    fn spans(&self, service: &str, name: &str) -> Vec<Span> {
        let kept = self.0.lock().unwrap();
        kept.get(service).into_iter().flatten().filter(|span| span.name == name).cloned().collect()
    }
}

#[test]
fn a_job_is_one_trace_over_all_processes() {
    let (here, runtime, collector) = (folder(), Runtime::new().unwrap(), Collector::default());
    let endpoint = format!("http://{}", collector.serve(&runtime));
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let site = Site::new(here.path()).with_environment(&environment);
    let mut coordinator = site.coordinator(&[]);
    coordinator.says("ready for jobs");
    let worker = site.worker();
    let spec = cdnow_spec(here.path(), &[("to: 10", "to: 3")]);
    let said = site.client(&["submit", spec.to_str().unwrap(), "--wait"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // What they have not sent yet they send when they stop.
    assert_eq!((worker.terminate(), coordinator.terminate()), (0, 0));

    let jobs = collector.spans("segmenta-coordinator", "job");
    assert_eq!(jobs.len(), 1);
    let trace = &jobs[0].trace_id;
    let stages = collector.spans("segmenta-coordinator", "stage");
    let plans = collector.spans("segmenta-coordinator", "plan");
    let tasks = collector.spans("segmenta-worker", "task");
    assert!(stages.len() == 9 && plans.len() > stages.len() && tasks.len() > plans.len(), "{stages:?} {plans:?}");
    for span in stages.iter().chain(&plans).chain(&tasks) {
        assert_eq!(&span.trace_id, trace, "{span:?}");
    }
    let parents: BTreeSet<&Vec<u8>> = plans.iter().map(|plan| &plan.span_id).collect();
    assert!(tasks.iter().all(|task| parents.contains(&task.parent_span_id)));
    let id = said.out.lines().next().unwrap();
    for task in &tasks {
        let named = |attribute: &&opentelemetry_proto::tonic::common::v1::KeyValue| attribute.key == "job";
        let job = task.attributes.iter().find(named).and_then(|job| job.value.clone()?.value);
        assert_eq!(job, Some(Value::StringValue(id.to_owned())), "{task:?}");
    }
}

#[test]
fn a_collector_that_is_of_no_use_or_away() {
    let run = |endpoint: &str| -> Said {
        let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
        segmenta_with(&environment, &["check", "examples/cdnow.yaml"])
    };
    let wrong = run("not a url");
    assert!(wrong.code == 2 && wrong.err.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", wrong.err);
    // Nobody waits for one that is away.
    assert_eq!(run("http://127.0.0.1:1").code, 0);
}
