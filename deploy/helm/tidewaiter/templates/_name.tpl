{{/* Names and labels. Kubernetes takes 63 characters. */}}
{{- define "tidewaiter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* Of a release that is called like the chart the name stands once. Room is left for the longest ending, `-metrics`. */}}
{{- define "tidewaiter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "tidewaiter.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "tidewaiter.account" -}}
{{- if .Values.account.create -}}
{{- default (include "tidewaiter.fullname" .) .Values.account.name -}}
{{- else -}}
{{- required "account.name says which account the pods have where account.create is false" .Values.account.name -}}
{{- end -}}
{{- end }}

{{/* What pods are found by: never changed by an upgrade. */}}
{{- define "tidewaiter.selector" -}}
app.kubernetes.io/name: {{ include "tidewaiter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidewaiter.labels" -}}
{{ include "tidewaiter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: sensor
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tidewaiter.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{/* The configuration file: what the values say, and the sockets that they mount. */}}
{{- define "tidewaiter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.runtimes.sockets -}}
{{- $containers := default (dict) $config.containers -}}
{{- if $containers.sockets -}}
{{- fail "sockets of runtimes are named under runtimes.sockets, which mounts them too, not under config.containers" -}}
{{- end -}}
{{- $_ := set $config "containers" (set $containers "sockets" .Values.runtimes.sockets) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}
