"""Runs every check of scim2-tester against the SCIM server at BASE, with the token of $TOKEN; fails unless all succeed."""

import os
import sys
from collections import Counter

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
with Client(base_url=sys.argv[1], headers=headers, timeout=60, trust_env=False) as http:
    results = check_server(SyncSCIMClient(http))

for result in results:
    print(f"{result.status.name} {result.resource_type or '-'} {result.title}: {result.reason or 'as it should be'}")
    if result.status != Status.SUCCESS and result.data is not None:
        print(f"    {str(result.data)[:2000]}")

counts = Counter(result.status for result in results)
skipped = counts.pop(Status.SKIPPED, 0)
failed = sum(counts.values()) - counts[Status.SUCCESS]
print(f"scim2-tester: {len(results)} checks, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or skipped or not results else 0)
