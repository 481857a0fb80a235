{{- define "segmenta.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 39 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 39 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that selectors match by; takes (list context component). */}}
{{- define "segmenta.selector" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ default $context.Chart.Name $context.Values.nameOverride }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of a pod: nothing that changes with the chart alone, so that pods stay then. Takes (list context component-values
component). */}}
{{- define "segmenta.podLabels" -}}
{{- $context := index . 0 -}}
{{- $selector := include "segmenta.selector" (list $context (index . 2)) | fromYaml -}}
{{- merge $selector (index . 1).podLabels $context.Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "segmenta.labels" -}}
{{- $context := index . 0 -}}
{{ include "segmenta.selector" . }}
app.kubernetes.io/version: {{ $context.Values.image.tag | default $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- with $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "segmenta.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "segmenta.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "segmenta.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The secrets with certificates. */}}
{{- define "segmenta.jobsSecret" -}}
{{- $tls := .Values.tls -}}
{{- if not (or $tls.jobs.existingSecret $tls.certManager.enabled) }}{{ fail "tls.jobs: needs existingSecret, or tls.certManager" }}{{ end -}}
{{- $tls.jobs.existingSecret | default (printf "%s-tls" (include "segmenta.fullname" .)) -}}
{{- end -}}
{{- define "segmenta.membersSecret" -}}
{{- .Values.tls.members.existingSecret | default (printf "%s-members-tls" (include "segmenta.fullname" .)) -}}
{{- end -}}

{{/* Where the job service is. */}}
{{- define "segmenta.url" -}}
{{- ternary "https" "http" .Values.tls.jobs.enabled }}://{{ include "segmenta.fullname" . }}-coordinator.{{ .Release.Namespace }}.svc:50050
{{- end -}}

{{/* The configuration files. JSON's numbers, booleans, strings and lists of these are TOML too. */}}
{{- define "segmenta.coordinatorToml" -}}
listen = "0.0.0.0:50050"
scheduler_listen = "0.0.0.0:50060"
probe_listen = "0.0.0.0:8080"
host = "{{ include "segmenta.fullname" . }}-scheduler"
state = {{ required "state: a coordinator needs a folder that outlives it, for example s3://lake/segmenta/state/" .Values.state | toJson }}
{{- if not .Values.allow }}{{ fail "allow: without a URL that jobs may read and write below, every job is refused" }}{{ end }}
allow = {{ .Values.allow | toJson }}
drain_timeout_seconds = {{ .Values.drainTimeoutSeconds }}
{{- if .Values.tokens.existingSecret }}
token_file = "/etc/segmenta/tokens/{{ .Values.tokens.key }}"
{{- end }}
{{- if .Values.tls.jobs.enabled }}
certificate = "/etc/segmenta/tls/tls.crt"
key = "/etc/segmenta/tls/tls.key"
{{- if .Values.tls.jobs.clientAuthority }}
client_authority = "/etc/segmenta/tls/ca.crt"
{{- end }}
{{- end }}
{{- include "segmenta.membersToml" . }}
{{- range $key, $value := .Values.coordinator.config }}
{{ $key }} = {{ $value | toJson }}
{{- end }}
{{- end -}}
{{- define "segmenta.workerToml" -}}
scheduler = "{{ include "segmenta.fullname" . }}-scheduler:50060"
flight_port = 50061
task_port = 50062
probe_listen = "0.0.0.0:8080"
work_dir = "/scratch"
drain_timeout_seconds = {{ .Values.drainTimeoutSeconds }}
{{- include "segmenta.membersToml" . }}
{{- range $key, $value := .Values.worker.config }}
{{ $key }} = {{ $value | toJson }}
{{- end }}
{{- end -}}
{{- define "segmenta.membersToml" -}}
{{- if .Values.tls.members.enabled }}
cluster_certificate = "/etc/segmenta/members/tls.crt"
cluster_key = "/etc/segmenta/members/tls.key"
cluster_authority = "/etc/segmenta/members/ca.crt"
cluster_name = {{ .Values.tls.members.name | toJson }}
{{- else }}
# The network policy lets members alone reach each other.
insecure = true
{{- end }}
{{- end -}}

{{/* Tasks that a worker runs at once: its slots, or the whole cores of its CPU limit. */}}
{{- define "segmenta.workerSlots" -}}
{{- $cpu := dig "limits" "cpu" "" .Values.worker.resources | toString -}}
{{- if .Values.worker.config.slots -}}
{{- .Values.worker.config.slots -}}
{{- else if hasSuffix "m" $cpu -}}
{{- max 1 (div (trimSuffix "m" $cpu | int) 1000) -}}
{{- else if $cpu -}}
{{- max 1 (int $cpu) -}}
{{- else -}}
{{- fail "worker: autoscaling by KEDA has to know how many tasks a worker runs at once: set resources.limits.cpu or config.slots" -}}
{{- end -}}
{{- end -}}

{{- define "segmenta.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "segmenta.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Probes of either process: it lives when it answers. */}}
{{- define "segmenta.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Variables of a process; takes (list context component-values). */}}
{{- define "segmenta.env" -}}
{{- $context := index . 0 -}}
{{- range $name, $value := $context.Values.objectStore.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with concat $context.Values.extraEnv (index . 1).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "segmenta.envFrom" -}}
{{- $context := index . 0 -}}
{{- with $context.Values.objectStore.existingSecret }}
- secretRef: {name: {{ . }}}
{{- end }}
{{- with concat $context.Values.extraEnvFrom (index . 1).extraEnvFrom }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where a pod goes; takes (list context component-values component). */}}
{{- define "segmenta.placement" -}}
{{- $context := index . 0 -}}
{{- $values := index . 1 -}}
{{- $selector := include "segmenta.selector" (list $context (index . 2)) | fromYaml -}}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
  - {{ merge (dict) . (dict "labelSelector" (dict "matchLabels" $selector)) | toYaml | indent 4 | trim }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of a pod that calls the job service: arguments, mounts, volumes. */}}
{{- define "segmenta.client.arguments" -}}
{{- if .Values.client.tokenSecret }}
- --token-file=/etc/segmenta/token/{{ .Values.client.tokenKey }}
{{- end }}
{{- if and .Values.tls.jobs.enabled .Values.client.privateAuthority }}
- --authority=/etc/segmenta/authority/ca.crt
{{- end }}
{{- if .Values.client.certificateSecret }}
- --certificate=/etc/segmenta/client/tls.crt
- --key=/etc/segmenta/client/tls.key
{{- end }}
{{- end -}}
{{- define "segmenta.client.mounts" -}}
{{- if .Values.client.tokenSecret }}
- {name: token, mountPath: /etc/segmenta/token, readOnly: true}
{{- end }}
{{- if and .Values.tls.jobs.enabled .Values.client.privateAuthority }}
- {name: authority, mountPath: /etc/segmenta/authority, readOnly: true}
{{- end }}
{{- if .Values.client.certificateSecret }}
- {name: client, mountPath: /etc/segmenta/client, readOnly: true}
{{- end }}
{{- end -}}
{{- define "segmenta.client.volumes" -}}
{{- if .Values.client.tokenSecret }}
- name: token
  secret: {secretName: {{ .Values.client.tokenSecret }}, defaultMode: 0440}
{{- end }}
{{- if and .Values.tls.jobs.enabled .Values.client.privateAuthority }}
- name: authority
  secret: {secretName: {{ include "segmenta.jobsSecret" . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- if .Values.client.certificateSecret }}
- name: client
  secret: {secretName: {{ .Values.client.certificateSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}
