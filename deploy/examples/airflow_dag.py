"""A job by Airflow: each run publishes to an output of its own, day by day, so that readers always have a whole one.

The image has no shell to write the spec with, so the spec travels as an annotation of the pod, which Kubernetes hands to
the container as a file. Prepared for the chart's defaults in the namespace `segmenta`; `segmenta-nightly` is a secret with
a token, for where the coordinator asks for one.
"""

from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from kubernetes.client import models as k8s

SPEC = """\
name: customers
source:
  tables: {orders: s3://lake/customers/orders/*.parquet}
  sql: |
    SELECT customer_id, DATE '{{ ds }}' - MAX(order_date) AS recency, COUNT(*) AS frequency,
           SUM(CAST(amount AS DECIMAL(12, 2))) AS monetary
    FROM orders WHERE order_date < DATE '{{ ds }}' GROUP BY customer_id
  id: customer_id
  features: [recency, frequency, monetary]
output: s3://lake/segments/customers/day={{ ds }}
"""

ANNOTATION = "segmenta/spec"

with DAG(
    dag_id="segmenta_customers",
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
):
    KubernetesPodOperator(
        task_id="segment",
        namespace="segmenta",
        name="segmenta-customers",
        image="segmenta:0.1.0",
        arguments=[
            "submit",
            "/job/job.yaml",
            "--wait",
            "--coordinator=http://segmenta-coordinator.segmenta.svc:50050",
        ],
        annotations={ANNOTATION: SPEC},
        # Lets the network policy know who may reach the job service.
        labels={"segmenta-client": "true"},
        volumes=[
            k8s.V1Volume(
                name="job",
                downward_api=k8s.V1DownwardAPIVolumeSource(
                    items=[
                        k8s.V1DownwardAPIVolumeFile(
                            path="job.yaml",
                            field_ref=k8s.V1ObjectFieldSelector(field_path=f"metadata.annotations['{ANNOTATION}']"),
                        )
                    ]
                ),
            )
        ],
        volume_mounts=[k8s.V1VolumeMount(name="job", mount_path="/job", read_only=True)],
        env_vars=[
            k8s.V1EnvVar(
                name="SEGMENTA_TOKEN",
                value_from=k8s.V1EnvVarSource(
                    secret_key_ref=k8s.V1SecretKeySelector(name="segmenta-nightly", key="token", optional=True)
                ),
            )
        ],
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "50m", "memory": "64Mi"}, limits={"cpu": "500m", "memory": "256Mi"}
        ),
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=65532,
            run_as_group=65532,
            fs_group=65532,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        automount_service_account_token=False,
        # The pod only waits, so Airflow need not wait with it. To submit the job once more goes on where it was.
        deferrable=True,
        get_logs=True,
        on_finish_action="delete_succeeded_pod",
        retries=5,
        retry_delay=timedelta(seconds=30),
        retry_exponential_backoff=True,
    )
