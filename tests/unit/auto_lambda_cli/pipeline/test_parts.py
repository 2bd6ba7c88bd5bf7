from __future__ import annotations

from auto_lambda_cli.pipeline.parts import ORDER, all_parts, load_template


def test_parameters_come_from_what_is_chosen_and_from_what_earlier_stacks_say() -> None:
    fleet = next(part for part in all_parts() if part.name == "fleet")
    chosen = {"WorkersMax": "3", "AlarmEmail": "somebody@example.com", "QueueName": "mine"}
    assert fleet.parameters(chosen, {"QueueName": "q", "Dashboard": "d"}) == {"WorkersMax": "3", "QueueName": "q"}


def test_only_the_core_has_the_name_of_the_pipeline() -> None:
    stacks = [part.stack("staging") for part in all_parts()]
    assert stacks == ["staging", *(f"staging-{name}" for name in ORDER[1:])]


def test_a_template_is_read_with_its_short_functions_and_as_json() -> None:
    text = "A: !If [C, !Ref B, {X: !Sub 'a${B}'}]\nD: !GetAtt E.Arn\nF: !Join [',', [!Ref B]]"
    assert load_template(text) == {"A": ["C", "B", {"X": "a${B}"}], "D": "E.Arn", "F": [",", ["B"]]}
    assert load_template('{"A": {"Ref": "B"}}') == {"A": {"Ref": "B"}}
