use imagewright_oci::{Digest, Hasher};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, Params, Row};

/// A digest as a column: its 32 raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Column(pub(crate) Digest);

/// A kind of row that carries a digest over its own columns.
///
/// SQLite notices a damaged page only when its structure is broken. A flipped bit in a digest column would be
/// believed, and give an image that is wrong; with a seal, such a row is no row.
pub(crate) trait Sealed: Sized {
    /// The table.
    const TABLE: &'static str;
    /// The columns of its primary key.
    const KEY: &'static str;

    /// Takes the row apart; columns are read by name.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self>;

    /// The seal that its columns should have.
    fn seal(&self) -> [u8; 16];
}

/// The row, unless it is damaged.
pub(crate) fn sound<R: Sealed>(row: &Row<'_>) -> rusqlite::Result<Option<R>> {
    match R::from_row(row) {
        Ok(value) => Ok((row.get_ref("seal")?.as_blob() == Ok(&value.seal()[..])).then_some(value)),
        Err(Error::FromSqlConversionFailure(..) | Error::Utf8Error(..) | Error::InvalidColumnType(..)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The first sound row that a query gives.
pub(crate) fn find<R: Sealed>(
    connection: &Connection,
    query: &str,
    params: impl Params,
) -> rusqlite::Result<Option<R>> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        if let Some(value) = sound(row)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// All sound rows of a table, and the primary keys of the others.
pub(crate) fn all<R: Sealed>(connection: &Connection) -> rusqlite::Result<(Vec<R>, Vec<Vec<Value>>)> {
    let key_length = R::KEY.split(',').count();
    let mut statement =
        connection.prepare(&format!("SELECT {}, * FROM {} ORDER BY {0}", R::KEY, R::TABLE))?;
    let mut rows = statement.query([])?;
    let (mut values, mut damaged) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match sound(row)? {
            Some(value) => values.push(value),
            None => damaged.push(
                (0..key_length)
                    .map(|column| Ok(lossless(row.get_ref(column)?)))
                    .collect::<rusqlite::Result<_>>()?,
            ),
        }
    }
    Ok((values, damaged))
}

/// Deletes the row with this primary key.
pub(crate) fn delete<R: Sealed>(connection: &Connection, key: &[Value]) -> rusqlite::Result<usize> {
    let marks = vec!["?"; key.len()].join(", ");
    connection.execute(
        &format!("DELETE FROM {} WHERE ({}) = ({marks})", R::TABLE, R::KEY),
        rusqlite::params_from_iter(key),
    )
}

/// Collects the columns of a row into its seal.
pub(crate) struct Sealing(Hasher);

impl Sealing {
    /// A seal for a row of `R`'s table.
    pub(crate) fn of<R: Sealed>() -> Self {
        Self(Hasher::new()).text(R::TABLE)
    }

    pub(crate) fn digest(self, digest: &Digest) -> Self {
        self.bytes(digest.as_bytes())
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        let mut seal = [0; 16];
        seal.copy_from_slice(&self.0.finish().as_bytes()[..16]);
        seal
    }
}

impl FromSql for Column {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes =
            <[u8; 32]>::try_from(value.as_blob()?).map_err(|error| FromSqlError::Other(error.into()))?;
        Ok(Self(Digest::from_bytes(bytes)))
    }
}

impl ToSql for Column {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

/// The value as it is stored; text that is no UTF-8 becomes a blob, which no row has as its key.
fn lossless(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(text.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
