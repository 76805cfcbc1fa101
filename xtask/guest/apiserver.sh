# Makes a Kubernetes API server for the tests. Debian has its source (1.20, with all it needs) and no binary of it,
# and has the Go of its time; both were fetched beside this, with etcd. Runs in the lab's machine; `made` is the result.
for part in *.deb; do dpkg-deb -x "$part" root; done
mkdir -p made go/src/k8s.io
tar -xf kubernetes_*.orig.tar.gz -C go/src/k8s.io
mv go/src/k8s.io/kubernetes-* go/src/k8s.io/kubernetes
here=$PWD
export GOROOT="$here/root/usr/lib/go-1.15" GOPATH="$here/go" GOCACHE="$here/cache" HOME="$here"
export GO111MODULE=off GOPROXY=off CGO_ENABLED=0 PATH="$here/root/usr/lib/go-1.15/bin:$PATH"

cd go/src/k8s.io/kubernetes
# The description of its types is not in the source: upstream's own build generates it in this way.
go build -o "$here/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
parts=
for part in $(go list -e -tags providerless -deps ./cmd/kube-apiserver | sed -n 's#^k8s.io/kubernetes/##p'); do
  if grep -qsE '^// \+k8s:openapi-gen=true' "$part"/*.go; then parts="$parts,k8s.io/kubernetes/$part"; fi
done
"$here/openapi-gen" --logtostderr -i "${parts#,}" -p k8s.io/kubernetes/pkg/generated/openapi \
  -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt -r "$here/violations"
# Without the clouds' own parts, and without symbols.
go build -tags providerless -ldflags '-s -w' -o "$here/made/kube-apiserver" ./cmd/kube-apiserver
cp "$here/root/usr/bin/etcd" "$here/made/etcd"
