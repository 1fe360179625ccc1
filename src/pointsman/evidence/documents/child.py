"""The bounded child that reads documents: `python -m pointsman.evidence.documents.child`."""

from typing import Any

from pointsman.evidence.bounded_child import Refused, answer


def read(content: bytes, options: dict[str, Any]) -> Any:
    """A document of the kind that the options name, or that its bytes show."""
    from pointsman.evidence.documents.kinds import kind_of

    name, want = str(options.get("name", "")), options.get("want", "parts")
    kind = kind_of(content, name)
    try:
        match kind:
            case "pdf":
                from pointsman.evidence.documents.pdf import read_pdf

                first, of = options.get("share", (0, 1))
                return read_pdf(content, want, share=(int(first), int(of)))
            case "docx" | "pptx" | "xlsx":
                from pointsman.evidence.documents.office import read_office

                return read_office(content, kind)
            case "html":
                from pointsman.evidence.documents.html import read_html

                return read_html(content)
            case "markdown":
                from pointsman.evidence.documents.markdown import read_markdown

                return read_markdown(content)
            case "email":
                from pointsman.evidence.documents.mail import read_mail

                return read_mail(content)
            case _:
                from pointsman.evidence.documents.markdown import read_plain

                return read_plain(content)
    except ImportError as error:
        raise Refused(
            "extra", why=f"reading {kind} needs the extra `documents`: {error}",
            next='pip install "pointsman[documents]"',
        ) from error  # fmt: skip


if __name__ == "__main__":
    answer(read)
