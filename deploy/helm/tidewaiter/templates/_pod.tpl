{{/* What the container may do: the two ways of docs/kubernetes.md. */}}
{{- define "tidewaiter.privilege" -}}
{{- if eq .Values.privilege "privileged" -}}
privileged: true
readOnlyRootFilesystem: true
{{- else -}}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsUser: 0
runAsGroup: 0
seccompProfile: {type: RuntimeDefault}
capabilities:
  drop: [ALL]
  add:
    - BPF              # load programs and maps
    - PERFMON          # attach tracepoints, read kernel memory
    - NET_ADMIN        # attach to the hooks of cgroups
    - SYS_PTRACE       # /proc/PID/exe, cwd, root and namespaces of others
    - DAC_READ_SEARCH  # files of other users: state of runtimes, passwd of containers
{{- end -}}
{{- end }}

{{- define "tidewaiter.mounts" -}}
- {name: config, mountPath: /etc/tidewaiter, readOnly: true}
- {name: outbox, mountPath: /var/lib/tidewaiter}
- {name: run, mountPath: /run/tidewaiter}
# The root of the cgroup hierarchy, where programs are attached.
- {name: cgroup, mountPath: /host/sys/fs/cgroup, readOnly: true}
{{- if .Values.runtimes.containerd }}
- {name: containerd, mountPath: /run/containerd, readOnly: true}
{{- end }}
{{- if .Values.rules }}
- {name: rules, mountPath: /etc/tidewaiter-rules, readOnly: true}
{{- end }}
{{- if .Values.runtimes.docker }}
- {name: docker, mountPath: /var/lib/docker/containers, readOnly: true}
{{- end }}
{{- if .Values.runtimes.crio }}
- {name: crio-run, mountPath: /run/containers/storage, readOnly: true}
- {name: crio-graph, mountPath: /var/lib/containers/storage, readOnly: true}
{{- end }}
{{- range $index, $socket := .Values.runtimes.sockets }}
- {name: socket-{{ $index }}, mountPath: {{ $socket.path }}, readOnly: true}
{{- end }}
{{- with .Values.mounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tidewaiter.volumes" -}}
- name: config
  configMap: {name: {{ include "tidewaiter.fullname" . }}}
- name: outbox
  hostPath: {path: {{ .Values.outbox.path }}, type: DirectoryOrCreate}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 8Mi}
- name: cgroup
  hostPath: {path: /sys/fs/cgroup, type: Directory}
{{- if .Values.runtimes.containerd }}
- name: containerd
  hostPath: {path: /run/containerd, type: ""}
{{- end }}
{{- if .Values.rules }}
- name: rules
  configMap: {name: {{ include "tidewaiter.fullname" . }}-rules}
{{- end }}
{{- if .Values.runtimes.docker }}
- name: docker
  hostPath: {path: /var/lib/docker/containers, type: Directory}
{{- end }}
{{- if .Values.runtimes.crio }}
- name: crio-run
  hostPath: {path: /run/containers/storage, type: Directory}
- name: crio-graph
  hostPath: {path: /var/lib/containers/storage, type: Directory}
{{- end }}
{{- range $index, $socket := .Values.runtimes.sockets }}
- name: socket-{{ $index }}
  hostPath: {path: {{ $socket.path }}, type: Socket}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
