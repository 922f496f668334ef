"""The Databricks SDK for Python against Tarn."""

import concurrent.futures
import os
import unittest

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied, Unauthenticated
from databricks.sdk.service import iam

HOST = os.environ["TARN_URL"]


def client(token=os.environ["TARN_TOKEN"]):
    return WorkspaceClient(host=HOST, token=token, auth_type="pat")


class Login(unittest.TestCase):
    def test_personal_access_token(self):
        me = client().current_user.me()
        self.assertTrue(me.active)
        self.assertIn("admins", [g.display for g in me.groups])

    def test_machine_to_machine(self):
        id = os.environ["TARN_CLIENT_ID"]
        w = WorkspaceClient(host=HOST, client_id=id, client_secret=os.environ["TARN_CLIENT_SECRET"], auth_type="oauth-m2m")
        self.assertEqual(id, w.current_user.me().user_name)

    def test_wrong_token(self):
        with self.assertRaises(Unauthenticated):
            client("dapi" + "0" * 32).current_user.me()

    def test_workspace_id(self):
        self.assertGreater(client().get_workspace_id(), 0)


class Tokens(unittest.TestCase):
    def test_create_use_list_delete(self):
        w = client()
        made = w.tokens.create(comment="python", lifetime_seconds=600)
        self.assertTrue(client(made.token_value).current_user.me().user_name)
        listed = {t.token_id: t for t in w.tokens.list()}
        self.assertEqual("python", listed[made.token_info.token_id].comment)
        w.tokens.delete(made.token_info.token_id)
        with self.assertRaises(Unauthenticated):
            client(made.token_value).current_user.me()


class Directory(unittest.TestCase):
    def test_users(self):
        w = client()
        made = w.users.create(user_name="py@example.com", display_name="Py", active=True)
        self.addCleanup(lambda: self.assertRaises(NotFound, w.users.get, made.id))
        self.assertEqual(["py@example.com"], [u.user_name for u in w.users.list(filter='userName eq "py@example.com"')])
        w.users.patch(
            made.id,
            operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="Python")],
            schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP],
        )
        self.assertEqual("Python", w.users.get(made.id).display_name)
        w.users.delete(made.id)

    def test_groups(self):
        w = client()
        principal = w.service_principals.create(display_name="py-robot", active=True)
        group = w.groups.create(display_name="py-group", members=[iam.ComplexValue(value=principal.id)])
        self.assertEqual([principal.id], [m.value for m in w.groups.get(group.id).members])
        w.groups.delete(group.id)
        w.service_principals.delete(principal.id)
        with self.assertRaises(NotFound):
            w.groups.get(group.id)

    def test_pages(self):
        w = client()
        made = [w.groups.create(display_name=f"py-page-{n}") for n in range(5)]
        names = [g.display_name for g in w.groups.list(count=2, filter='displayName sw "py-page-"', sort_by="displayName")]
        self.assertEqual([f"py-page-{n}" for n in range(5)], names)
        for g in made:
            w.groups.delete(g.id)


class Permissions(unittest.TestCase):
    def test_tokens(self):
        w = client()
        levels = w.permissions.get_permission_levels("authorization", "tokens").permission_levels
        self.assertIn("CAN_USE", [level.permission_level.value for level in levels])
        w.permissions.update(
            "authorization",
            "tokens",
            access_control_list=[iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_USE)],
        )
        acl = w.permissions.get("authorization", "tokens").access_control_list
        self.assertIn("users", [a.group_name for a in acl])

    def test_denied(self):
        w = WorkspaceClient(
            host=HOST, client_id=os.environ["TARN_CLIENT_ID"], client_secret=os.environ["TARN_CLIENT_SECRET"], auth_type="oauth-m2m"
        )
        with self.assertRaises(PermissionDenied):
            w.users.create(user_name="denied@example.com")


class Limits(unittest.TestCase):
    def test_too_many_are_tried_again(self):
        w = client()
        me = w.current_user.me().user_name
        limit = w.api_client.do(
            "POST", "/api/2.0/rate-limits", body={"endpoint": "clusters.sparkVersions", "requests_per_second": 2, "burst": 2}
        )
        try:
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                answers = list(pool.map(lambda _: client().clusters.spark_versions().versions, range(6)))
            self.assertTrue(all(answers))
        finally:
            w.api_client.do("DELETE", "/api/2.0/rate-limits/" + limit["limit_id"])
        refused = w.api_client.do(
            "GET", "/api/2.0/tarn/audit", query={"status_code": 429, "action_name": "sparkVersions", "user_name": me}
        )
        self.assertTrue(refused["records"])


if __name__ == "__main__":
    unittest.main()
