"""A file in Wycheproof's form: flags with notes, groups and numbered cases."""

import json

SOURCE = {"name": "shangmi/edge-cases", "version": "1"}


class File:
    def __init__(self, algorithm, schema, header, notes):
        """`notes` gives each flag its bug type and description."""
        self.algorithm, self.schema, self.header, self.notes = algorithm, schema, header, notes
        self.groups, self.used, self.count = [], set(), 0

    def group(self, type_, **fields):
        group = Group(self, {"type": type_, "source": SOURCE, **fields})
        self.groups.append(group)
        return group

    def text(self):
        unused = set(self.notes) - self.used
        assert not unused, f"flags without a case: {unused}"
        notes = {
            flag: {"bugType": bug_type, "description": description}
            for flag, (bug_type, description) in sorted(self.notes.items())
        }
        head = {
            "algorithm": self.algorithm,
            "schema": self.schema,
            "numberOfTests": self.count,
            "header": self.header,
            "notes": notes,
        }
        texts, first = [], 1
        for group in self.groups:
            if group.cases:
                texts.append(group.text(first))
                first += len(group.cases)
        groups = ",\n".join(texts)
        return json.dumps(head, indent=2)[:-2] + f',\n  "testGroups": [\n{groups}\n  ]\n}}\n'


class Group:
    def __init__(self, file, fields):
        self.file, self.fields, self.cases = file, fields, []

    def case(self, result, flag, comment, **fields):
        """Bytes are written in hex. `flag` is one name, or several with spaces."""
        flags = flag.split()
        assert result in ("valid", "invalid", "acceptable")
        for flag in flags:
            assert flag in self.file.notes, flag
            self.file.used.add(flag)
        self.file.count += 1
        case = {"comment": comment, "flags": flags}
        for name, value in fields.items():
            case[name] = value.hex() if isinstance(value, bytes) else value
        self.cases.append({**case, "result": result})

    def text(self, first):
        """One case a line, numbered from `first` on."""
        numbered = [{"tcId": first + i, **case} for i, case in enumerate(self.cases)]
        cases = ",\n".join(f"        {json.dumps(case)}" for case in numbered)
        fields = json.dumps(self.fields)[1:-1]
        return f'    {{\n      {fields},\n      "tests": [\n{cases}\n      ]\n    }}'


def big(x):
    """A BigInt: two's complement, big-endian, as short as possible."""
    return x.to_bytes((x if x >= 0 else ~x).bit_length() // 8 + 1, "big", signed=True).hex()
