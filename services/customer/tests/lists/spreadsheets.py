"""Spreadsheets of the smallest kind, and of the nasty kinds, written by hand."""

import io
import zipfile
from collections.abc import Sequence

_FORMAT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_FORMAT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_FORMAT}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_FORMAT}.styles+xml"/></Types>'
)
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
_STYLES = (
    f'<?xml version="1.0"?><styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
DATE, DATE_TIME = 1, 2


def text(value: str) -> str:
    return f' t="inlineStr"><is><t>{value}</t></is>'


def number(value: str, style: int = 0) -> str:
    return f' s="{style}"><v>{value}</v>'


def formula(expression: str, cached: str | None) -> str:
    return f' t="str"><f>{expression}</f>' + (f"<v>{cached}</v>" if cached is not None else "")


def error(code: str) -> str:
    return f' t="e"><v>{code}</v>'


def xlsx(*rows: Sequence[str | None], extra: str = "", parts: dict[str, bytes] | None = None) -> io.BytesIO:
    """A workbook of one sheet; cells are what the functions above give, None is a cell that is not there."""
    body = "".join(
        f'<row r="{number}">'
        + "".join(f'<c r="{chr(65 + place)}{number}"{cell}</c>' for place, cell in enumerate(cells) if cell is not None)
        + "</row>"
        for number, cells in enumerate(rows, start=1)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr(
            "_rels/.rels",
            _RELS.format(f'<Relationship Id="r1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/>'),
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            _RELS.format(
                f'<Relationship Id="r1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
                f'<Relationship Id="r2" Type="{_REL}/styles" Target="styles.xml"/>'
            ),
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<?xml version="1.0"?><workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
            '<sheet name="Customers" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr("xl/styles.xml", _STYLES)
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<?xml version="1.0"?><worksheet xmlns="{_MAIN}"><sheetData>{body}{extra}</sheetData></worksheet>',
        )
        for name, content in (parts or {}).items():
            archive.writestr(name, content)
    return file
