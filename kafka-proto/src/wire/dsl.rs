//! The two table languages: `messages!` for what a message is made of, `apis!` for which messages there are.

/// Defines messages: the struct, its defaults, both directions of its codec, and its JSON form.
///
/// A field reads like a match arm: the versions that carry it `=>` the field, its type, and its default if that is not
/// the default of the type. The order of fields is the order on the wire.
///
/// ```text
/// messages! {
///     /// Asks for nothing in particular.
///     struct ExampleRequest {
///         0..                 => names: Option<Vec<String>>,      in every version
///         0..=3               => limit: i32 = -1,                 gone in version 4
///         2.., null 3..       => rack: Option<String> = Some(String::new()),
///         4.., or skip        => wait_ms: i32,
///         5.., tag 0          => cluster_id: Option<String>,
///         5.., tag 1, or skip => epoch: i64 = -1,
///     }
/// }
/// ```
///
/// Between the versions and the arrow may stand, in this order:
///
/// | words          | meaning                                                                                         |
/// |----------------|-------------------------------------------------------------------------------------------------|
/// | `, null 3..`   | the versions in which an `Option` may be null, where those are fewer than those that carry it    |
/// | `, tag 0`      | the field is tagged: it stands at the end, and only if it differs from its default               |
/// | `, or skip`    | where a version lacks the field its value may be dropped; without this, `misfit` names the field |
///
/// Types are those with [`Wire`](crate::wire::Wire): numbers, `bool`, `Uuid`, `String`, `Bytes`, other structs, `Vec`
/// of these; and `Option` of what has [`Nullable`](crate::wire::Nullable). Nullable does not mean that null is the
/// default: `= Some(..)` says that it is not. A name that is a keyword of Rust ends with an underscore.
///
/// Fields are allowed to have no documentation: most names say all there is, and Kafka's own schemas document them.
///
/// A debug build leaves what a message can do to the crate that does it, by `inline`: a program uses few of the 370 structs, and
/// compiling all of them for everybody took a fifth of this crate's build. A release build compiles all here, once, as the
/// optimiser is to see the same whoever calls.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        struct $name:ident {
            $(
                $(#[$field_doc:meta])*
                $versions:pat $(, null $null:pat)? $(, tag $tag:literal)? $(, or $skip:ident)?
                    => $field:ident : $ty:ty $(= $default:expr)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* #[allow(missing_docs, reason = "see `messages!`")] pub $field: $ty,)*
            /// Tagged fields that are none of the above; empty unless the reader was told to keep them.
            pub unknown_tags: $crate::wire::UnknownTags,
        }

        impl $name {
            /// Starts from the defaults of the schema and lets `fill` set fields.
            pub fn build(fill: impl FnOnce(&mut Self)) -> Self {
                let mut message = Self::default();
                fill(&mut message);
                message
            }
        }

        impl Default for $name {
            #[cfg_attr(debug_assertions, inline)]
            fn default() -> Self {
                Self {
                    $($field: messages!(@default $($default)?),)*
                    unknown_tags: $crate::wire::UnknownTags::EMPTY,
                }
            }
        }

        impl $crate::wire::Struct for $name {}

        impl $crate::wire::Wire for $name {
            #[cfg_attr(debug_assertions, inline)]
            fn read(&mut self, r: &mut $crate::wire::Reader<'_>) -> $crate::wire::Result<()> {
                $(messages!(@read self, r, $field, $versions, [$($tag)?]);)*
                messages!(@read_tags self, r, [$($($tag)?)*], $($field, $versions, [$($tag)?];)*)
            }

            #[allow(unused_mut, reason = "some structs have no fields")]
            #[cfg_attr(debug_assertions, inline)]
            fn put(&self, w: &mut $crate::wire::Writer, mut place: $crate::wire::Place) -> $crate::wire::Place {
                $(messages!(@put self, w, place, $field, $versions, [$($null)?], [$($tag)?]);)*
                messages!(@put_tags self, w, place, [$($($tag)?)*],
                    $($field, $versions, [$($tag)?], [$($default)?];)*)
            }

            #[allow(unused_variables, reason = "some structs have no fields")]
            #[cfg_attr(debug_assertions, inline)]
            fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
                $(messages!(@misfit self, version, flexible, $field, $versions,
                    [$($null)?], [$($skip)?], [$($default)?]);)*
                (!flexible && !self.unknown_tags.is_empty()).then_some("unknown_tags")
            }
        }

        impl $crate::wire::json::Json for $name {
            #[allow(unused_variables, reason = "some structs have no fields")]
            #[cfg_attr(debug_assertions, inline)]
            fn json(&self, version: i16, out: &mut $crate::wire::json::JsonWriter) {
                out.begin_object();
                $(messages!(@json self, out, version, $field, $versions, [$($tag)?], [$($default)?]);)*
                out.end_object();
            }
        }
    )*};

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    // every field is a copy of these: no closures, which would be functions of their own

    (@read $this:ident, $r:ident, $field:ident, $versions:pat, [$tag:literal]) => {};
    (@read $this:ident, $r:ident, $field:ident, $versions:pat, []) => {
        if matches!($r.version, $versions)
            && let Err(e) = $crate::wire::Wire::read(&mut $this.$field, $r)
        {
            return Err(e.in_field(&stringify!($field)));
        }
    };

    (@read_tags $this:ident, $r:ident, [], $($rest:tt)*) => {
        $r.end_struct(&mut $this.unknown_tags)
    };
    (@read_tags $this:ident, $r:ident, [$($some:literal)+],
        $($field:ident, $versions:pat, [$($tag:literal)?];)*) => {
        $r.tagged(|tag, r| match tag {
            $($($tag if matches!(r.version, $versions) => {
                $crate::wire::Wire::read(&mut $this.$field, r)
                    .and_then(|()| r.finish_ref())
                    .map_err(|e| e.in_field(&stringify!($field)))
            })?)*
            _ => r.unknown_tag(tag, &mut $this.unknown_tags),
        })
    };

    (@put $this:ident, $w:ident, $place:ident, $field:ident, $versions:pat, [$($null:pat)?], [$tag:literal]) => {};
    (@put $this:ident, $w:ident, $place:ident, $field:ident, $versions:pat, [], []) => {
        if matches!($w.version, $versions) {
            $place = $crate::wire::Wire::put(&$this.$field, $w, $place);
        }
    };
    (@put $this:ident, $w:ident, $place:ident, $field:ident, $versions:pat, [$null:pat], []) => {
        match $w.version {
            $null => $place = $crate::wire::Wire::put(&$this.$field, $w, $place),
            $versions => $place = $crate::wire::put_never_null(&$this.$field, $w, $place),
            _ => {}
        }
    };

    (@put_tags $this:ident, $w:ident, $place:ident, [], $($rest:tt)*) => {
        $w.end_struct($place, &$this.unknown_tags)
    };
    (@put_tags $this:ident, $w:ident, $place:ident, [$($some:literal)+],
        $($field:ident, $versions:pat, [$($tag:literal)?], [$($default:expr)?];)*) => {
        $w.tagged($place, &$this.unknown_tags, |tags| {
            $(messages!(@tag $this, tags, $field, $versions, [$($default)?], [$($tag)?]);)*
        })
    };

    (@tag $this:ident, $tags:ident, $field:ident, $versions:pat, [$($default:expr)?], []) => {};
    (@tag $this:ident, $tags:ident, $field:ident, $versions:pat, [$($default:expr)?], [$tag:literal]) => {
        if matches!($tags.version(), $versions) {
            $tags.put($tag, &$this.$field, &messages!(@default $($default)?));
        }
    };

    (@misfit $this:ident, $version:ident, $flexible:ident, $field:ident, $versions:pat,
        [$($null:pat)?], [$($skip:ident)?], [$($default:expr)?]) => {
        if matches!($version, $versions) {
            $(if !matches!($version, $null) && $this.$field.is_none() {
                return Some(stringify!($field));
            })?
            if let Some(inner) = $crate::wire::Wire::misfit_in(&$this.$field, $version, $flexible) {
                return Some($crate::wire::name_misfit(inner, stringify!($field)));
            }
        } else {
            messages!(@lost $this, $field, [$($skip)?], [$($default)?]);
        }
    };
    (@lost $this:ident, $field:ident, [skip], [$($default:expr)?]) => {};
    (@lost $this:ident, $field:ident, [], [$($default:expr)?]) => {
        if $crate::wire::differs(&$this.$field, &messages!(@default $($default)?)) {
            return Some(stringify!($field));
        }
    };

    (@json $this:ident, $out:ident, $version:ident, $field:ident, $versions:pat, [], [$($default:expr)?]) => {
        if matches!($version, $versions) {
            $crate::wire::json::Json::json(&$this.$field, $version, $out.field(stringify!($field)));
        }
    };
    (@json $this:ident, $out:ident, $version:ident, $field:ident, $versions:pat, [$tag:literal], [$($default:expr)?]) => {
        if matches!($version, $versions)
            && $crate::wire::differs(&$this.$field, &messages!(@default $($default)?))
        {
            $crate::wire::json::Json::json(&$this.$field, $version, $out.field(stringify!($field)));
        }
    };
}

/// Defines [`ApiKey`](crate::api::ApiKey) with its properties, and the enums of all requests and all responses.
///
/// A row is an API:
///
/// ```text
/// // key name, versions, first flexible version, who answers, request => response
/// 18 ApiVersions    0..=4           , flexible 3    , each       , .. => ..;
/// 17 SaslHandshake  0..=1           , never flexible, each       , .. => ..;
/// 22 InitProducerId 0..=5 unstable 6, flexible 2    , transaction, .. => ..;
/// ```
macro_rules! apis {
    ($(
        $key:literal $name:ident $min:literal ..= $max:literal $(unstable $unstable:literal)?,
        $(flexible $flexible:literal)? $(never $never:ident)?, $who:ident, $request:ty => $response:ty;
    )*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("[`", stringify!($request), "`], versions ", $min, " to ", $max, ".")]
                $name = $key,
            )*
        }

        impl ApiKey {
            /// All of them, by key.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The versions that this crate speaks, without [`unstable`](Self::unstable) ones.
            pub fn versions(self) -> std::ops::RangeInclusive<i16> {
                match self { $(Self::$name => $min..=$max,)* }
            }

            /// A version that this crate speaks and brokers offer only when told to.
            pub fn unstable(self) -> Option<i16> {
                match self { $(Self::$name => apis!(@unstable $($unstable)?),)* }
            }

            /// Whether lengths are compact and structs end with tagged fields in this version.
            pub fn is_flexible(self, version: i16) -> bool {
                match self { $(Self::$name => apis!(@flexible version, $($flexible)?),)* }
            }

            /// Which broker answers.
            pub fn route(self) -> Route {
                match self { $(Self::$name => apis!(@route $who),)* }
            }

            /// The name, as Kafka spells it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        /// The key, if it is none of ours.
        impl TryFrom<i16> for ApiKey {
            type Error = i16;

            fn try_from(key: i16) -> Result<Self, i16> {
                match key { $($key => Ok(Self::$name),)* other => Err(other) }
            }
        }

        apis! { @any AnyRequest, "Any request, as a broker reads it.", $($name $request,)* }
        apis! { @any AnyResponse, "Any response, as a broker writes it.", $($name $response,)* }

        $(impl $crate::api::Request for $request {
            const API: ApiKey = ApiKey::$name;
            type Response = $response;
        })*
    };

    (@any $any:ident, $doc:literal, $($name:ident $message:ty,)*) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $any {
            $(
                #[doc = concat!("Of [`ApiKey::", stringify!($name), "`].")]
                $name($message),
            )*
        }

        impl $any {
            /// The message with nothing set.
            #[cfg_attr(debug_assertions, inline)]
            pub fn default_of(api: ApiKey) -> Self {
                match api { $(ApiKey::$name => Self::$name(Default::default()),)* }
            }

            /// Reads a body, at the version of the reader.
            #[cfg_attr(debug_assertions, inline)]
            pub fn decode(api: ApiKey, r: &mut $crate::wire::Reader<'_>) -> $crate::wire::Result<Self> {
                let mut any = Self::default_of(api);
                match &mut any { $(Self::$name(m) => $crate::wire::Wire::read(m, r)?,)* }
                Ok(any)
            }

            /// Writes a body, at the version of the writer.
            #[cfg_attr(debug_assertions, inline)]
            pub fn encode(&self, w: &mut $crate::wire::Writer) {
                match self { $(Self::$name(m) => $crate::wire::Wire::write(m, w),)* }
            }

            /// What it belongs to.
            #[cfg_attr(debug_assertions, inline)]
            pub fn api_key(&self) -> ApiKey {
                match self { $(Self::$name(_) => ApiKey::$name,)* }
            }

            /// The first field that `version` can neither carry nor do without.
            #[cfg_attr(debug_assertions, inline)]
            pub fn misfit(&self, version: i16) -> Option<&'static str> {
                let flexible = self.api_key().is_flexible(version);
                match self { $(Self::$name(m) => $crate::wire::Wire::misfit_in(m, version, flexible),)* }
            }
        }

        impl $crate::wire::json::Json for $any {
            #[cfg_attr(debug_assertions, inline)]
            fn json(&self, version: i16, out: &mut $crate::wire::json::JsonWriter) {
                match self { $(Self::$name(m) => m.json(version, out),)* }
            }
        }

        $(impl From<$message> for $any {
            #[cfg_attr(debug_assertions, inline)]
            fn from(message: $message) -> Self {
                Self::$name(message)
            }
        })*
    };

    (@unstable) => { None };
    (@unstable $version:literal) => { Some($version) };
    (@flexible $version:ident,) => { false };
    (@flexible $version:ident, $first:literal) => { $version >= $first };
    (@route any) => { Route::Any };
    (@route each) => { Route::Each };
    (@route leader) => { Route::Leader };
    (@route group) => { Route::Group };
    (@route transaction) => { Route::Transaction };
    (@route controller) => { Route::Controller };
}
