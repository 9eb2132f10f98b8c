//! Columns with a type: a code that stands for a value of an enum. A code that stands for none is an error of its row, never a default.
use app::{
    catalog::model::Kind,
    policies::model::{Class, Right, Tier},
    rotations::model::{Step, Trigger},
};
use serde::{Serialize, Serializer};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};
use std::ops::Deref;

/// An enum whose values have codes that are stored.
pub trait Code: Copy + Send + 'static {
    fn code(self) -> &'static str;
    fn from_code(code: &str) -> Option<Self>;
}

macro_rules! codes {
    ($($kind:ty)*) => {
        $(impl Code for $kind {
            fn code(self) -> &'static str {
                <$kind>::code(self)
            }
            fn from_code(code: &str) -> Option<Self> {
                <$kind>::from_code(code)
            }
        })*
    };
}
codes!(Tier Class Kind Right Step Trigger);

/// A value that is stored, sealed and sent as its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coded<T>(pub T);

impl<T: Code> Coded<T> {
    /// As it is stored.
    pub fn text(self) -> String {
        self.0.code().to_owned()
    }
}

impl<T> Deref for Coded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Code> From<T> for Coded<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Code> Serialize for Coded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<D: Database, T> Type<D> for Coded<T>
where
    String: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        <String as Type<D>>::type_info()
    }

    fn compatible(info: &D::TypeInfo) -> bool {
        <String as Type<D>>::compatible(info)
    }
}

impl<'r, D: Database, T: Code> Decode<'r, D> for Coded<T>
where
    String: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let code = <String as Decode<'r, D>>::decode(value)?;
        T::from_code(&code).map(Self).ok_or_else(|| "a code that this version does not know".into())
    }
}

impl<'q, D: Database, T: Code> Encode<'q, D> for Coded<T>
where
    String: Encode<'q, D>,
{
    fn encode_by_ref(&self, buffer: &mut D::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.text().encode(buffer)
    }
}
