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

{{- define "gemgate.check" -}}
{{- if and .Values.secret.geminiApiKey (not .Values.secret.clientKeys) (not .Values.env.GEMGATE_CLIENT_KEYS_FILE) }}
{{- fail "secret.geminiApiKey is set and secret.clientKeys is not: anyone who reaches the service could spend the key" }}
{{- end }}
{{- if and (not .Values.existingSecret) (not .Values.envFrom) (not .Values.extraEnv) (eq .Values.state "shared") (not .Values.env.GEMGATE_DATABASE_URL) }}
{{- fail "state: shared needs GEMGATE_DATABASE_URL, GEMGATE_BLOBS_URL and GEMGATE_SECRET, in existingSecret or env" }}
{{- end }}
{{- end }}
