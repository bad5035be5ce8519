{{- define "poplin.labels" -}}
app.kubernetes.io/name: poplin
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
{{- define "poplin.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
