"""UpdateItem prepared: of what is sent again and again, only the key and some values are spelled each time."""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted

__all__ = ["Statement"]

# How a value of each type stands in DynamoDB's JSON; sets have one member.
_SHAPES = {"N": '{"N":"%s"}', "S": '{"S":"%s"}', "B": '{"B":"%s"}', "BS": '{"BS":["%s"]}'}


class Statement:
    """An UpdateItem without names, key and values.

    `types` are N, S, B or BS (a set of one) by placeholder. Values are handed over in the same order as they stand in
    JSON between quotes: an int, a text that JSON need not escape, bytes in base64.
    """

    __slots__ = ("_text", "condition", "expression", "returns", "types")

    def __init__(self, expression: str, *, condition: str, types: Mapping[str, str], returns: str = "NONE") -> None:
        self.expression = expression
        self.condition = condition
        self.returns = returns
        self.types = types
        fixed = (
            f'"UpdateExpression":{quoted(expression)},"ConditionExpression":{quoted(condition)}'
            f',"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ReturnValues":"{returns}"'
        )
        values = ",".join([f"{quoted(name)}:{_SHAPES[kind]}" for name, kind in types.items()])
        self._text = f'{fixed.replace("%", "%%")},"ExpressionAttributeValues":{{{values}}}'

    def filled(self, values: tuple[int | str, ...]) -> str:
        """The members of the request's JSON object but for table and key. TypeError if there are not enough values."""
        return self._text % values
