{{- define "gemgate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "gemgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gemgate.labels" -}}
{{ include "gemgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "gemgate.secretName" -}}
{{- if or .Values.secret.geminiApiKey .Values.secret.clientKeys .Values.secret.metricsToken }}{{ include "gemgate.name" . }}{{ end }}
{{- end }}

{{/* OpenShift refuses users by number, and gives its own. */}}
{{- define "gemgate.podSecurityContext" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}
{{- toYaml (omit .Values.podSecurityContext "runAsUser" "runAsGroup" "fsGroup") }}
{{- else }}
{{- toYaml .Values.podSecurityContext }}
{{- end }}
{{- end }}

{{- define "gemgate.isScaled" -}}
{{- if and .Values.autoscaling.enabled (ne .Values.state "volume") }}yes{{ end }}
{{- end }}

{{/* Settings for Vertex AI; what is in `env` goes before them. */}}
{{- define "gemgate.vertexEnv" -}}
{{- with .Values.vertex }}
{{- if .project }}
GEMGATE_UPSTREAM: {{ ternary "gemini,vertex" "vertex" (ne $.Values.secret.geminiApiKey "") }}
GOOGLE_CLOUD_PROJECT: {{ .project | quote }}
{{- with .location }}
GOOGLE_CLOUD_LOCATION: {{ . | quote }}
{{- end }}
{{- with .locations }}
GEMGATE_VERTEX_LOCATIONS: {{ . | quote }}
{{- end }}
{{- if .credentialsSecret }}
GOOGLE_APPLICATION_CREDENTIALS: /var/run/google/credentials.json
{{- end }}
{{- if .callersTokens }}
GEMGATE_VERTEX_CREDENTIALS: callers
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "gemgate.check" -}}
{{- if and .Values.secret.geminiApiKey (not .Values.secret.clientKeys) (not .Values.env.GEMGATE_CLIENT_KEYS_FILE) }}
{{- fail "secret.geminiApiKey is set and secret.clientKeys is not: anyone who reaches the service could spend the key" }}
{{- end }}
{{- $named := or .Values.secret.clientKeys .Values.existingSecret .Values.envFrom .Values.extraEnv }}
{{- $named = or $named .Values.env.GEMGATE_CLIENT_KEYS .Values.env.GEMGATE_CLIENT_KEYS_FILE }}
{{- with .Values.vertex }}
{{- if and .project (not .callersTokens) (not $named) }}
{{- fail "vertex.project is set and secret.clientKeys is not: anyone who reaches the service could spend the project's credentials" }}
{{- end }}
{{- if and (not .project) (or .location .locations .serviceAccount .credentialsSecret .callersTokens) }}
{{- fail "vertex needs a project: set vertex.project" }}
{{- end }}
{{- if and .callersTokens (or .serviceAccount .credentialsSecret) }}
{{- fail "vertex.callersTokens passes callers' own tokens on: leave serviceAccount and credentialsSecret out" }}
{{- end }}
{{- end }}
{{- if and (not .Values.existingSecret) (not .Values.envFrom) (not .Values.extraEnv) (eq .Values.state "shared") (not .Values.env.GEMGATE_DATABASE_URL) }}
{{- fail "state: shared needs GEMGATE_DATABASE_URL, GEMGATE_BLOBS_URL and GEMGATE_SECRET, in existingSecret or env" }}
{{- end }}
{{- end }}
