{{- define "veneer.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "veneer.selector" -}}
app.kubernetes.io/name: veneer
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node
{{- end -}}

{{- define "veneer.labels" -}}
app.kubernetes.io/name: veneer
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "veneer.secret" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "veneer.name" .)) -}}
{{- end -}}

{{- define "veneer.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Numbers of values files are floats once they were merged: int, before anything else. */}}
{{- define "veneer.goMemLimitMiB" -}}
{{- add (div (mul (int .Values.storeMiB) 3) 2) 512 -}}
{{- end -}}

{{- define "veneer.config" -}}
{{- if or (not .Values.config.upstreams) (not .Values.config.routes) -}}
{{- fail "config.upstreams and config.routes have to be given: see the comments in values.yaml" -}}
{{- end -}}
{{- $own := dict
  "server" (dict "http" "0.0.0.0:8080")
  "admin" (dict "address" "0.0.0.0:9090" "token_file" "/etc/veneer-admin/token")
  "store" (dict "memory" (dict "size" (printf "%dMiB" (int .Values.storeMiB)))) -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}
