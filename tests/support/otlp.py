"""A receiver of OTLP logs, over HTTP and gRPC, that decodes with the definitions OpenTelemetry publishes.

    python otlp.py FOLDER HTTP_PORT GRPC_PORT [CERTIFICATE KEY]

What came stands in FOLDER/received, a line of JSON for each request: `over`, `status`, the request's `headers` and the whole
`request` in protobuf's JSON form. A request that has fields which the definitions do not know ends the receiver: none may.
How to answer stands in FOLDER/answers, a line of JSON for each request to come; without one it takes what comes:

    {"status": 503, "retry_after": "1"}          HTTP; with "message" a google.rpc.Status as body
    {"code": "UNAVAILABLE", "retry_seconds": 1}  gRPC; the pause as google.rpc.RetryInfo
    {"reject": 2, "message": "why"}              partial success
    {"refuse": 7}                                400 or INVALID_ARGUMENT if event.sequence 7 is in it; stays for the next one
"""

import json
import os
import ssl
import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as service

FOLDER = sys.argv[1]
LOCK = threading.Lock()


def next_answer():
    """The first line of the file, which is taken away unless it stays."""
    path = os.path.join(FOLDER, "answers")
    try:
        with open(path) as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    if not lines:
        return {}
    answer = json.loads(lines[0])
    if "refuse" not in answer:
        with open(path + ".part", "w") as file:
            file.writelines(line + "\n" for line in lines[1:])
        os.rename(path + ".part", path)
    return answer


def sequences(request):
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                for attribute in record.attributes:
                    if attribute.key == "event.sequence":
                        yield attribute.value.int_value


def judge(over, headers, raw):
    """Decodes a request, writes it down, and says how it is to be answered: an answer, and whether the request is refused."""
    with LOCK:
        request = logs.ExportLogsServiceRequest.FromString(raw)
        bare = logs.ExportLogsServiceRequest()
        bare.CopyFrom(request)
        bare.DiscardUnknownFields()
        if bare.ByteSize() != request.ByteSize():
            print("a request has fields that the definitions do not know", file=sys.stderr, flush=True)
            os._exit(3)
        answer = next_answer()
        is_refused = answer.get("refuse") in set(sequences(request))
        row = {
            "over": over,
            "refused": is_refused,
            "answer": answer,
            "headers": {name.lower(): value for name, value in headers},
            "request": MessageToDict(request),
        }
        with open(os.path.join(FOLDER, "received"), "a") as file:
            file.write(json.dumps(row) + "\n")
        return answer, is_refused


def response(answer):
    if "reject" not in answer:
        return logs.ExportLogsServiceResponse()
    partial = logs.ExportLogsPartialSuccess(
        rejected_log_records=answer["reject"], error_message=answer.get("message", "")
    )
    return logs.ExportLogsServiceResponse(partial_success=partial)


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/v1/logs" or self.headers["content-type"] != "application/x-protobuf":
            return self.answer(404, b"", {})
        answer, is_refused = judge("http", self.headers.items(), raw)
        status = 400 if is_refused else answer.get("status", 200)
        if status == 200:
            return self.answer(200, response(answer).SerializeToString(), {})
        body = status_pb2.Status(message=answer.get("message", "")).SerializeToString()
        more = {"retry-after": answer["retry_after"]} if "retry_after" in answer else {}
        return self.answer(status, body, more)

    def answer(self, status, body, more):
        self.send_response(status)
        for name, value in {"content-type": "application/x-protobuf", "content-length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Grpc(grpc.GenericRpcHandler):
    """The method as it is defined, but with the bytes, so that what is unknown in them shows."""

    def service(self, details):
        if details.method != "/opentelemetry.proto.collector.logs.v1.LogsService/Export":
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.export,
            request_deserializer=bytes,
            response_serializer=logs.ExportLogsServiceResponse.SerializeToString,
        )

    def export(self, raw, context):
        answer, is_refused = judge("grpc", context.invocation_metadata(), raw)
        code = "INVALID_ARGUMENT" if is_refused else answer.get("code", "OK")
        if code == "OK":
            return response(answer)
        code = getattr(grpc.StatusCode, code)
        if "retry_seconds" in answer:
            pause = error_details_pb2.RetryInfo()
            pause.retry_delay.FromMilliseconds(int(answer["retry_seconds"] * 1000))
            status = status_pb2.Status(code=code.value[0], message=answer.get("message", ""))
            status.details.add().Pack(pause)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        return context.abort(code, answer.get("message", ""))


def main():
    http_port, grpc_port = int(sys.argv[2]), int(sys.argv[3])
    pair = sys.argv[4:6]
    server = ThreadingHTTPServer(("127.0.0.1", http_port), Http)
    server.daemon_threads = True
    rpc = grpc.server(futures.ThreadPoolExecutor(max_workers=2), options=[("grpc.so_reuseport", 0)])
    rpc.add_generic_rpc_handlers((Grpc(),))
    address = f"127.0.0.1:{grpc_port}"
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        context.set_alpn_protocols(["http/1.1"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        certificate, key = (open(path, "rb").read() for path in pair)
        rpc.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
    else:
        rpc.add_insecure_port(address)
    rpc.start()
    server.serve_forever()


# What the definitions call the service is what the sensor has to call.
assert service.LogsServiceStub and logs.DESCRIPTOR.services_by_name["LogsService"].full_name == (
    "opentelemetry.proto.collector.logs.v1.LogsService"
)
main()
