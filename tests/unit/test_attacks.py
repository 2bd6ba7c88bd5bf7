"""Each way in that was ever found has tests of its own, by kind and by the forms in which it was found.

Each of these tests fails without what it guards. A kind's forms are examples: its tests attack their siblings, too.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OUT = "unit/builder/hostile/test_ways_out.py"
LIMITS = "unit/builder/hostile/test_limits.py"
LINEAR = "unit/builder/test_linear_time.py"
SANDBOX = "unit/builder/sandbox/test_bubblewrap.py"
MANIFESTS = "unit/builder/dependencies/test_manifests.py"
FAULT = "unit/builder/dependencies/test_whose_fault.py"
SIGNED = "unit/worker/index/test_signed.py"
VERIFY = "unit/worker/deploy/test_verify.py"
HTTP = "unit/worker/deploy/test_http_get.py"
MUTANTS = "unit/worker/deploy/gate/test_mutants.py"
OWNERSHIP = "unit/worker/deploy/gate/test_ownership.py"
APP_RIGHTS = "unit/infra/test_app_rights.py"
WORKER_RIGHTS = "unit/infra/test_worker_rights.py"
ACCESS = "unit/auto_lambda_cli/local_stack/test_access.py"
EMBEDDED = "unit/auto_lambda_cli/local_stack/test_embedded.py"
SUPPLY = "unit/test_supply_chain.py"

GUARDS: dict[str, dict[str, tuple[str, ...]]] = {
    # Out of the box
    "values of an upload in a trusted program's environment": {
        "libraries and audit modules for the dynamic linker": (
            f"{OUT}::test_a_library_of_the_zip_is_loaded_inside_only",
        ),
        "variables of the C library, of shells and of Python": (
            f"{OUT}::test_no_variable_of_a_command_is_outside_of_the_sandbox",
        ),
        "by the settings of an app": (
            f"{OUT}::test_settings_of_an_app_are_not_obeyed_by_what_starts_its_compiler",
            f"{OUT}::test_settings_of_an_app_are_not_obeyed_by_what_starts_its_proof",
        ),
        "by any other program": (
            "unit/auto_lambda/processes/test_programs.py::test_no_other_module_starts_a_process",
            "unit/auto_lambda/processes/test_programs.py::test_the_environment_is_the_one_given",
        ),
    },
    "links and pipes that a build left": {
        "where the second resolution writes": (
            f"{OUT}::test_a_second_resolution_writes_through_no_link_of_the_first",
            f"{OUT}::test_links_in_place_of_a_resolution_are_not_followed",
        ),
        "where a resolution is read": (f"{OUT}::test_no_answer_of_a_resolution_is_read_through_a_link",),
        "where a wheel is unpacked": (f"{OUT}::test_links_at_the_places_of_later_steps_are_not_followed",),
        "in place of a wheel": (
            f"{OUT}::test_links_in_place_of_a_wheel_are_not_followed",
            f"{OUT}::test_what_is_left_in_place_of_a_repaired_wheel_is_no_wheel",
        ),
    },
    "files of the host in a message": {
        "a line of one": (f"{MANIFESTS}::test_a_file_of_the_host_is_not_read_for_a_dependency",),
        "whether there is one": (f"{MANIFESTS}::test_no_answer_tells_which_files_the_host_has",),
    },
    "the kernel's settings": {
        "written by a build": (f"{SANDBOX}::test_the_kernels_settings_cannot_be_changed",),
        "on a machine that does not cover them": (f"{SANDBOX}::test_a_sandbox_that_does_not_cover_them_is_found_out",),
    },
    "any path of an index's host, with its credentials": {
        "another path, also upwards": (
            f"{SIGNED}::test_no_other_path_of_a_private_host_is_asked_for_with_its_credentials",
            "unit/worker/index/test_hosts.py::test_nothing_else_of_a_private_host_is_asked_for",
        ),
        "by a redirect": (f"{SIGNED}::test_a_redirect_leads_nowhere_that_could_not_be_asked_for",),
    },
    "an address that the app names": {
        "in its template": ("unit/worker/deploy/gate/test_urls.py::test_a_foreign_url_is_refused",),
        "in the output of its stack": (
            f"{VERIFY}::test_what_is_not_the_stacks_own_is_never_asked",
            f"{VERIFY}::test_a_foreign_url_is_the_uploaders_fault_at_once",
            f"{VERIFY}::test_a_path_that_leads_upwards_is_not_asked_of_an_emulator",
        ),
        "of this machine or its network": (
            f"{HTTP}::test_no_private_address_is_connected_to",
            f"{HTTP}::test_the_address_that_was_checked_is_the_one_connected_to",
            f"{HTTP}::test_get_follows_no_redirect",
        ),
        "pages and banners in a receipt": (f"{VERIFY}::test_neither_pages_nor_banners_of_another_service_are_told",),
    },
    "work without a bound": {
        "expressions": (
            "unit/test_expressions.py::test_each_is_linear",
            "unit/test_expressions.py::test_a_quadratic_one_is_found",
        ),
        "requirements": (f"{LINEAR}::test_requirements",),
        "keys of TOML": (f"{LINEAR}::test_pyproject", f"{LINEAR}::test_settings"),
        "records of distributions": (
            f"{LINEAR}::test_the_files_of_a_distribution",
            "unit/builder/proof/test_audit.py::test_the_records_of_a_package_are_read_once_for_all_warnings",
        ),
        "whatever else a builder reads": (
            "unit/worker/builds/test_conversation.py::test_a_builder_that_takes_too_long",
            "unit/worker/builds/test_conversation.py::test_an_action_that_takes_too_long",
        ),
    },
    "memory without control groups": {
        "shared mappings, tmpfs, files without a name": (
            f"{LIMITS}::test_memory_that_is_not_a_process_of_its_own_counts",
        ),
        "System V shared memory": (f"{LIMITS}::test_memory_that_outlives_its_processes_cannot_be_had",),
        "a whole builder": ("unit/worker/builds/test_watch.py::test_a_builder_that_takes_too_much_is_ended",),
        "buffers of sockets, which only control groups bound": (
            f"{LIMITS}::test_the_page_tells_what_only_control_groups_bound",
        ),
    },
    # One app against another
    "another app's code": {
        "a version of its function": (
            f"{MUTANTS}::test_what_reaches_out_of_the_app_is_refused_at_its_property",
            f"{OWNERSHIP}::test_an_attack_is_refused_with_what_it_touched",
        ),
        "by the repair of what was changed by hand": (
            "unit/worker/deploy/switch/test_drift.py::test_a_victims_function_is_never_touched",
        ),
        "by a version that is made past the stack": (
            "unit/worker/deploy/switch/test_past_stack.py::test_the_rest_goes_by_the_stack",
        ),
        "by rights that ask for any tag": (
            f"{WORKER_RIGHTS}::test_directly_only_functions_of_apps_are_called_and_changed",
            f"{WORKER_RIGHTS}::test_nothing_is_deleted_or_tagged_that_belongs_to_another_stack",
        ),
        "from the drop on": ("e2e/test_hostile.py::test_an_app_cannot_take_the_code_or_the_url_of_another",),
    },
    "another app's URL": {
        "routes, methods and stages of its API": (
            f"{MUTANTS}::test_what_reaches_out_of_the_app_is_refused_at_its_property",
            f"{OWNERSHIP}::test_an_attack_is_refused_with_what_it_touched",
        ),
        "from the drop on": ("e2e/test_hostile.py::test_an_app_cannot_take_the_code_or_the_url_of_another",),
    },
    "whatever else a template names": {
        "each property with each foreign value": (
            f"{MUTANTS}::test_every_mutant_is_refused",
            f"{MUTANTS}::test_no_property_that_names_something_may_hold_anything",
        ),
        "layers, parts of APIs, names, sources, targets, networks, logs, policies": (
            f"{MUTANTS}::test_what_reaches_out_of_the_app_is_refused_at_its_property",
        ),
        "events of buckets": (
            f"{MUTANTS}::test_events_of_a_bucket_that_was_not_granted_are_refused",
            "unit/worker/deploy/gate/test_gate.py::test_the_pipelines_own_buckets_announce_to_no_app",
        ),
        "dynamic references in any spelling": (
            f"{MUTANTS}::test_what_cloudformation_would_resolve_is_refused_in_each_spelling",
            f"{OWNERSHIP}::test_dynamic_references_in_description_and_metadata",
        ),
        "resources that stay": (f"{MUTANTS}::test_nothing_may_outlive_the_app",),
        "too many, too large": (
            "unit/worker/deploy/gate/test_quotas.py::"
            "test_more_than_the_quota_is_refused_with_figure_limit_and_who_raises_it",
        ),
        "what AWS adds": (f"{OWNERSHIP}::test_the_table_names_what_aws_has_and_no_more",),
    },
    "the account's data and the pipeline's own": {
        "by a boundary that is the account": (
            f"{APP_RIGHTS}::test_an_app_whose_own_policy_allows_everything_reaches_nothing_of_the_account",
            f"{APP_RIGHTS}::test_no_app_reaches_what_is_another_ones",
        ),
        "the ledger's index, metrics, logs, the topic of alarms": (
            f"{APP_RIGHTS}::test_what_no_app_reaches_is_out_of_reach_with_grants_too",
            f"{APP_RIGHTS}::test_no_app_reaches_the_pipeline",
        ),
        "without being told": (
            f"{APP_RIGHTS}::test_who_opens_the_account_is_told_that_whoever_may_drop_may_read_it",
        ),
    },
    # The rest
    "the uploader's fault told as ours": {
        "words of packages, folders and builds": (f"{FAULT}::test_the_uploaders_fault_is_told_as_that",),
        "a bucket's name": (
            "unit/worker/deploy/test_bucket_notifications.py::"
            "test_a_name_that_no_bucket_can_have_is_the_uploaders_to_correct",
            "unit/worker/deploy/test_deployer.py::test_a_bucket_that_cannot_be_is_refused_before_anything_is_deployed",
        ),
        "a folder named like a module": (
            "unit/builder/frameworks/zappa/test_front_end.py::test_what_is_wrong_is_told_with_its_own_code",
        ),
        "as whole drops": ("e2e/test_bad_input.py::test_bad_app",),
        "words in CloudFormation's reasons": (
            "unit/auto_lambda/aws/reasons/test_stack_reasons.py::test_what_is_the_apps_own_whatever_it_is_called",
            "unit/auto_lambda/aws/reasons/test_stack_reasons.py::test_a_template_that_is_refused_is_the_apps_whatever_it_says",
        ),
        "and faults that pass, told as the uploader's": (
            f"{FAULT}::test_an_index_that_fails_is_our_fault",
            "unit/auto_lambda/aws/reasons/test_stack_reasons.py::test_what_passes",
        ),
    },
    "settings that an upgrade opens to all": {
        "by the step that installs files": ("unit/ami/test_settings_modes.py::test_an_upgrade_opens_no_settings",),
        "on a whole machine": (
            "machine/test_install.py::test_a_bare_machine_becomes_a_worker_and_is_left_as_it_was",
        ),
    },
    "the local stack's endpoint": {
        "for web pages, by Origin and by CORS": (
            f"{ACCESS}::test_a_web_page_is_refused_whatever_its_user",
            f"{EMBEDDED}::test_a_web_page_can_neither_read_nor_change_anything",
            f"{EMBEDDED}::test_no_answer_is_meant_for_web_pages",
        ),
        "by another name of this machine": (f"{ACCESS}::test_a_name_that_a_page_has_pointed_here_is_refused",),
        "for other users, without the stack's secret": (
            f"{ACCESS}::test_another_user_must_sign",
            f"{EMBEDDED}::test_another_user_can_put_nothing_into_a_bucket_without_the_secret",
            f"{EMBEDDED}::test_a_process_of_another_user_can_neither_drop_a_zip_nor_send_a_message",
        ),
    },
    "who may write artifacts": {"everybody of the account": (f"{WORKER_RIGHTS}::test_only_workers_write_artifacts",)},
    "a worker that was taken over": {
        "changing functions, and letting others in, through CloudFormation": (
            f"{WORKER_RIGHTS}::test_through_cloudformation_only_functions_of_apps_are_changed",
            f"{WORKER_RIGHTS}::test_directly_nobody_is_let_in",
        ),
        "importing what is another's": (f"{WORKER_RIGHTS}::test_nothing_is_imported_and_no_service_role_is_used",),
        "passing roles itself": (f"{WORKER_RIGHTS}::test_roles_are_for_cloudformation_below_their_path_only",),
        "templates from anywhere": (f"{WORKER_RIGHTS}::test_templates_come_from_the_artifacts_bucket",),
    },
    "secrets in logs": {
        "private keys, line by line": (
            "unit/auto_lambda/test_redact.py::test_a_private_key_is_hidden_whole_though_it_comes_line_by_line",
            "unit/builder/sandbox/test_sandbox.py::test_a_private_key_that_a_build_prints_is_hidden_whole",
            "unit/worker/records/test_receipt.py::test_a_private_key_told_line_by_line_is_hidden_whole",
        ),
        "values of an app's variables": (
            "unit/builder/source/test_confidential.py::test_values_of_variables_are_found_wherever_settings_have_them",
            "unit/builder/test_pipeline.py::test_values_of_variables_are_hidden_before_anything_of_the_app_runs",
            "unit/builder/sandbox/test_sandbox.py::test_a_secret_is_hidden_however_it_is_printed",
            "unit/worker/records/test_receipt.py::test_values_that_become_known_later_are_hidden_from_then_on",
        ),
        "messages of builds in the worker's own log": (
            "unit/builder/test_session.py::test_whatever_ends_a_build_is_told_without_secrets",
            "unit/worker/test_handler.py::test_what_a_build_says_is_in_our_own_log_without_its_secrets",
        ),
    },
    "what is installed": {
        "without a hash": (
            f"{SUPPLY}::test_whatever_our_scripts_install_is_checked_by_its_hash",
            f"{SUPPLY}::test_every_pin_of_every_lock_has_a_hash",
            f"{SUPPLY}::test_what_builds_our_wheel_is_what_is_locked",
        ),
        "without a bill of materials": (
            f"{SUPPLY}::test_the_bill_of_materials_is_that_of_the_locks",
            f"{SUPPLY}::test_both_bills_are_valid_cyclonedx",
        ),
        "without an audit": (
            f"{SUPPLY}::test_a_finding_is_named_and_fails_the_audit",
            f"{SUPPLY}::test_a_database_that_does_not_answer_is_no_good_news",
        ),
    },
}  # fmt: skip


def test_no_kind_is_missing() -> None:
    assert len(GUARDS) == 19
    assert all(tests for forms in GUARDS.values() for tests in forms.values())


@pytest.mark.parametrize("kind", GUARDS)
def test_each_form_has_its_tests(kind: str) -> None:
    for guard in (guard for tests in GUARDS[kind].values() for guard in tests):
        file, _, name = guard.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, guard
