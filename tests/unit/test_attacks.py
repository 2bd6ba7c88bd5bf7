"""Each way out of the box, and each other way in that was ever found, has tests of its own, by kind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
HOSTILE = "unit/builder/hostile/"
GUARDS = {
    "values of an upload in a trusted program's environment": (
        f"{HOSTILE}test_ways_out.py::test_no_variable_of_a_command_is_outside_of_the_sandbox",
        f"{HOSTILE}test_ways_out.py::test_a_library_of_the_zip_is_loaded_inside_only",
        "unit/auto_lambda/processes/test_programs.py::test_no_other_module_starts_a_process",
    ),
    "links and pipes that a build left": (
        f"{HOSTILE}test_ways_out.py::test_links_at_the_places_of_later_steps_are_not_followed",
        f"{HOSTILE}test_ways_out.py::test_a_second_resolution_writes_through_no_link_of_the_first",
        f"{HOSTILE}test_ways_out.py::test_what_is_left_in_place_of_a_repaired_wheel_is_no_wheel",
        f"{HOSTILE}test_hostile_uploads.py::test_a_hook_that_plants_things_gets_none_of_them_into_the_code",
    ),
    "a file of the host in a message": (
        "unit/builder/dependencies/test_manifests.py::test_a_file_of_the_host_is_not_read_for_a_dependency",
    ),
    "the kernel's settings": (
        "unit/builder/sandbox/test_bubblewrap.py::test_the_kernels_settings_cannot_be_changed",
        "unit/builder/sandbox/test_bubblewrap.py::test_a_sandbox_that_does_not_cover_them_is_found_out",
    ),
    "any path of an index's host, with its credentials": (
        "unit/worker/index/test_proxy.py::test_no_other_path_of_a_private_host_is_asked_for_with_its_credentials",
        "unit/worker/index/test_proxy.py::test_a_redirect_leads_nowhere_that_could_not_be_asked_for",
    ),
    "an address that the app names": (
        "unit/worker/deploy/test_verify.py::test_what_is_not_the_stacks_own_is_never_asked",
        "unit/worker/deploy/test_http_get.py::test_no_private_address_is_connected_to",
        "unit/worker/deploy/test_http_get.py::test_the_address_that_was_checked_is_the_one_connected_to",
        "unit/worker/deploy/gate/test_urls.py::test_a_foreign_url_is_refused",
    ),
    "work without a bound": (
        "unit/test_expressions.py::test_each_is_linear",
        "unit/builder/test_linear_time.py::test_requirements",
        "unit/builder/test_linear_time.py::test_settings",
    ),
    "memory without control groups": (
        f"{HOSTILE}test_limits.py::test_memory_that_is_not_a_process_of_its_own_counts",
        f"{HOSTILE}test_limits.py::test_memory_that_outlives_its_processes_cannot_be_had",
        "unit/worker/builds/test_watch.py::test_a_builder_that_takes_too_much_is_ended",
    ),
    "the uploader's fault told as ours": (
        "unit/builder/dependencies/test_lock.py::test_a_build_cannot_pretend_that_the_index_was_missing",
    ),
    "settings that an upgrade opens to all": (
        "machine/test_install.py::test_a_bare_machine_becomes_a_worker_and_is_left_as_it_was",
    ),
    "the local stack's endpoint": (
        "unit/auto_lambda_cli/local_stack/test_access.py::test_a_web_page_is_refused_whatever_its_user",
        "unit/auto_lambda_cli/local_stack/test_embedded.py::test_another_user_can_put_nothing_into_a_bucket_without_the_secret",
    ),
    "who may write artifacts": ("unit/infra/test_worker_rights.py::test_only_workers_write_artifacts",),
    "a worker that was taken over": (
        "unit/infra/test_worker_rights.py::test_templates_come_from_the_artifacts_bucket",
        "unit/infra/test_worker_rights.py::test_nothing_is_imported_and_no_service_role_is_used",
    ),
    "secrets in logs": (
        "unit/auto_lambda/test_redact.py::test_a_private_key_is_hidden_whole_though_it_comes_line_by_line",
        "unit/builder/sandbox/test_sandbox.py::test_a_secret_is_hidden_however_it_is_printed",
        "unit/builder/test_session.py::test_whatever_ends_a_build_is_told_without_secrets",
        "unit/worker/records/test_receipt.py::test_values_that_become_known_later_are_hidden_from_then_on",
    ),
    "what is installed": ("unit/test_supply_chain.py::test_whatever_our_scripts_install_is_checked_by_its_hash",),
}


@pytest.mark.parametrize("kind", GUARDS)
def test_each_kind_has_its_tests(kind: str) -> None:
    for guard in GUARDS[kind]:
        file, _, name = guard.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, guard
