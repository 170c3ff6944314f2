"""Runs under a Python that has Tink: reads one JSON job from stdin, encrypts or decrypts with Tink, answers in JSON."""

import base64
import io
import json
import sys

import tink
from tink import cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2


class Uncloseable(io.BytesIO):
    def close(self):
        pass


def primitive(key):
    streaming_aead.register()
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(key_value=key)
    value.params.ciphertext_segment_size = 65536
    value.params.derived_key_size = 32
    value.params.hkdf_hash_type = common_pb2.SHA256
    keyset = tink_pb2.Keyset(primary_key_id=1)
    entry = keyset.key.add(key_id=1, status=tink_pb2.ENABLED, output_prefix_type=tink_pb2.RAW)
    entry.key_data.type_url = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
    entry.key_data.value = value.SerializeToString()
    entry.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
    handle = cleartext_keyset_handle.read(tink.BinaryKeysetReader(keyset.SerializeToString()))
    return handle.primitive(streaming_aead.StreamingAead)


def run(job):
    aead = primitive(base64.b64decode(job["key"]))
    data, associated = base64.b64decode(job["data"]), base64.b64decode(job["associated"])
    if job["do"] == "decrypt":
        with aead.new_decrypting_stream(io.BytesIO(data), associated) as file:
            return file.read()
    target = Uncloseable()
    with aead.new_encrypting_stream(target, associated) as file:
        file.write(data)
    return target.getvalue()


print(json.dumps([base64.b64encode(run(job)).decode() for job in json.load(sys.stdin)]))
