//! What the demo's posts and comments say, by language. How phrases become a network's content is in
//! [`super::content`].

use palaver_domain::Locale;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Spanish,
    Portuguese,
    Japanese,
}

/// Openings stand alone where space is short, as in a tweet; details and endings may follow.
pub(super) struct Phrases {
    pub openings: &'static [&'static str],
    pub details: &'static [&'static str],
    pub endings: &'static [&'static str],
    pub titles: &'static [&'static str],
    pub hashtags: &'static [&'static str],
    pub comments: &'static [&'static str],
    pub rejections: &'static [&'static str],
}

impl Language {
    /// The one that Palaver speaks to such a person in.
    pub const fn locale(self) -> Locale {
        match self {
            Self::German => Locale::De,
            Self::French => Locale::Fr,
            Self::English | Self::Spanish | Self::Portuguese | Self::Japanese => Locale::En,
        }
    }

    pub const fn phrases(self) -> &'static Phrases {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Spanish => &SPANISH,
            Self::Portuguese => &PORTUGUESE,
            Self::Japanese => &JAPANESE,
        }
    }
}

const ENGLISH: Phrases = Phrases {
    openings: &[
        "The Acme workshop opens its doors this Saturday 🛠️",
        "New in our shop: the Acme toolbox, now made from recycled steel.",
        "How do you keep a bike quiet through winter? Three drops of oil and ten minutes.",
        "Behind the scenes: a day at our repair counter.",
        "We counted: 1,204 machines repaired this quarter instead of thrown away 💚",
        "Question of the week: which tool could you not work without?",
        "Last call for the spring catalogue, printed on what was left of the last one.",
        "Our support team now answers until 8 p.m., weekends included.",
        "Small update, big difference: the Acme app finds spare parts by photo 📷",
        "Thank you for 25 years of squeaky hinges brought back to silence.",
    ],
    details: &[
        "Bring what is broken, leave with what works. Coffee is on us, and so are the first thirty minutes.",
        "We listened to two thousand answers to our survey and changed the handle, the lock and the price.",
        "Everything you need fits in one drawer. Our checklist shows what to look for before the first frost.",
        "Most visitors come with a question and go home with a skill. That is how we like it.",
        "Every repaired part saves about three kilograms of waste. Together that adds up to a full truck.",
        "Tell us in the comments and we will feature the most surprising one next week.",
        "The new edition is shorter, clearer, and for the first time has an index that works.",
        "Chat, mail or phone: the answer comes from somebody who has held the tool in their hands.",
    ],
    endings: &[
        "See you there!",
        "More on our blog.",
        "Which one would you pick?",
        "Save this post for later.",
        "Share it with somebody who needs to hear it.",
    ],
    titles: &[
        "Open workshop",
        "Made to be repaired",
        "Five minutes of maintenance",
        "A look behind the counter",
        "What your feedback changed",
        "Spare parts, found by photo",
    ],
    hashtags: &["#RepairDay", "#Acme", "#MadeToLast", "#WorkshopLife", "#BehindTheScenes", "#HowTo"],
    comments: &[
        "Can we use the wider picture here? The crop cuts off the handle.",
        "Checked with the product team: the figures are right.",
        "Please move the link to the end, it reads better.",
        "Looks good to me.",
        "Legal has no objections.",
        "The tone is spot on, thank you!",
    ],
    rejections: &[
        "The price is last year's. Please check it against the catalogue.",
        "Too long for this channel; one idea a post.",
        "The picture shows the old logo.",
    ],
};

const GERMAN: Phrases = Phrases {
    openings: &[
        "Am Samstag öffnet die Acme-Werkstatt ihre Türen 🛠️",
        "Neu im Laden: der Acme-Werkzeugkasten, jetzt aus recyceltem Stahl.",
        "Wie kommt das Fahrrad leise durch den Winter? Drei Tropfen Öl und zehn Minuten Zeit.",
        "Hinter den Kulissen: ein Tag an unserem Reparaturtresen.",
        "Wir haben nachgezählt: 1.204 Geräte repariert statt weggeworfen 💚",
        "Frage der Woche: Ohne welches Werkzeug geht bei euch nichts?",
        "Endspurt für den Frühjahrskatalog, gedruckt auf den Resten des letzten.",
        "Unser Service ist jetzt bis 20 Uhr für euch da, auch am Wochenende.",
        "Kleines Update, große Wirkung: Die Acme-App findet Ersatzteile per Foto 📷",
    ],
    details: &[
        "Bringt mit, was kaputt ist, und nehmt mit, was funktioniert. Kaffee und die erste halbe Stunde gehen auf uns.",
        "Wir haben zweitausend Antworten gelesen und Griff, Schloss und Preis geändert.",
        "Alles Nötige passt in eine Schublade. Unsere Checkliste zeigt, worauf es vor dem ersten Frost ankommt.",
        "Die meisten kommen mit einer Frage und gehen mit neuem Können nach Hause. Genau so soll es sein.",
        "Jedes reparierte Teil spart rund drei Kilo Abfall. Zusammen ist das eine ganze Wagenladung.",
        "Schreibt es in die Kommentare, die überraschendste Antwort stellen wir nächste Woche vor.",
        "Die neue Ausgabe ist kürzer, klarer und hat zum ersten Mal ein brauchbares Register.",
    ],
    endings: &[
        "Bis dann!",
        "Mehr dazu im Blog.",
        "Was meint ihr?",
        "Gern weitersagen.",
        "Für später speichern lohnt sich.",
    ],
    titles: &[
        "Offene Werkstatt",
        "Gemacht, um repariert zu werden",
        "Fünf Minuten Pflege",
        "Ein Blick hinter den Tresen",
        "Was eure Antworten bewirkt haben",
    ],
    hashtags: &["#Reparaturtag", "#Acme", "#Werkstatt", "#Nachhaltigkeit", "#Selbermachen"],
    comments: &[
        "Bitte das breitere Bild nehmen, der Griff ist abgeschnitten.",
        "Mit dem Produktteam abgestimmt, die Zahlen stimmen.",
        "Den Link bitte ans Ende, dann liest es sich flüssiger.",
        "Passt so für mich.",
        "Von der Rechtsabteilung freigegeben.",
    ],
    rejections: &[
        "Der Preis ist vom letzten Jahr, bitte mit dem Katalog abgleichen.",
        "Zu lang für diesen Kanal, bitte nur ein Gedanke pro Beitrag.",
        "Auf dem Bild ist noch das alte Logo.",
    ],
};

const FRENCH: Phrases = Phrases {
    openings: &[
        "Samedi, l’atelier Acme ouvre ses portes 🛠️",
        "Nouveau en boutique : la boîte à outils Acme en acier recyclé.",
        "Un vélo silencieux tout l’hiver ? Trois gouttes d’huile et dix minutes.",
        "En coulisses : une journée à notre comptoir de réparation.",
        "1 204 appareils réparés ce trimestre plutôt que jetés 💚",
        "La question de la semaine : quel outil ne quittez-vous jamais ?",
        "Notre service client répond désormais jusqu’à 20 h, même le week-end.",
        "L’application Acme retrouve vos pièces détachées à partir d’une photo 📷",
    ],
    details: &[
        "Apportez ce qui est cassé, repartez avec ce qui marche. Le café et la première demi-heure sont offerts.",
        "Nous avons lu deux mille réponses et revu la poignée, la serrure et le prix.",
        "Tout tient dans un tiroir. Notre liste rappelle ce qu’il faut vérifier avant les premières gelées.",
        "On vient avec une question, on repart avec un savoir-faire. C’est bien l’idée.",
        "Chaque pièce réparée évite environ trois kilos de déchets.",
    ],
    endings: &[
        "À samedi !",
        "La suite sur notre blog.",
        "Et vous, lequel choisiriez-vous ?",
        "À partager sans modération.",
    ],
    titles: &["Atelier ouvert", "Fait pour être réparé", "Cinq minutes d’entretien", "De l’autre côté du comptoir"],
    hashtags: &["#Réparation", "#Acme", "#FaitPourDurer", "#Atelier"],
    comments: &[
        "Peut-on prendre la photo plus large ? La poignée est coupée.",
        "Chiffres vérifiés avec l’équipe produit.",
        "C’est parfait pour moi.",
        "Le lien serait mieux à la fin.",
    ],
    rejections: &["Le prix est celui de l’an dernier, à vérifier dans le catalogue.", "Trop long pour ce canal."],
};

const SPANISH: Phrases = Phrases {
    openings: &[
        "Este sábado el taller de Acme abre sus puertas 🛠️",
        "Novedad en la tienda: la caja de herramientas Acme, ahora de acero reciclado.",
        "¿Una bici silenciosa todo el invierno? Tres gotas de aceite y diez minutos.",
        "Entre bastidores: un día en nuestro mostrador de reparaciones.",
        "Este trimestre reparamos 1.204 aparatos en lugar de tirarlos 💚",
        "Pregunta de la semana: ¿sin qué herramienta no podrías trabajar?",
        "Nuestro equipo de atención responde ahora hasta las 20 h, también en fin de semana.",
        "La aplicación de Acme encuentra repuestos a partir de una foto 📷",
    ],
    details: &[
        "Trae lo que está roto y llévate lo que funciona. El café y la primera media hora corren de nuestra cuenta.",
        "Leímos dos mil respuestas y cambiamos el mango, el cierre y el precio.",
        "Todo cabe en un cajón. Nuestra lista te dice qué revisar antes de la primera helada.",
        "La mayoría llega con una pregunta y se va sabiendo algo nuevo. Así nos gusta.",
        "Cada pieza reparada ahorra unos tres kilos de residuos.",
    ],
    endings: &["¡Te esperamos!", "Más en nuestro blog.", "¿Con cuál te quedas?", "Guárdalo para después."],
    titles: &["Taller abierto", "Hecho para repararse", "Cinco minutos de cuidado", "Detrás del mostrador"],
    hashtags: &["#Reparar", "#Acme", "#HechoParaDurar", "#Taller"],
    comments: &[
        "¿Podemos usar la foto más ancha? Se corta el mango.",
        "Cifras confirmadas con el equipo de producto.",
        "Por mí, listo.",
        "El enlace queda mejor al final.",
    ],
    rejections: &["El precio es del año pasado; revísalo con el catálogo.", "Demasiado largo para este canal."],
};

const PORTUGUESE: Phrases = Phrases {
    openings: &[
        "No sábado, a oficina da Acme abre as portas 🛠️",
        "Novidade na loja: a caixa de ferramentas Acme, agora em aço reciclado.",
        "Bicicleta silenciosa o inverno inteiro? Três gotas de óleo e dez minutos.",
        "Bastidores: um dia no nosso balcão de consertos.",
        "Foram 1.204 aparelhos consertados neste trimestre em vez de descartados 💚",
        "Pergunta da semana: sem qual ferramenta você não trabalha?",
        "O aplicativo da Acme encontra peças de reposição por foto 📷",
    ],
    details: &[
        "Traga o que quebrou e leve o que funciona. O café e a primeira meia hora são por nossa conta.",
        "Lemos duas mil respostas e mudamos o cabo, a trava e o preço.",
        "Tudo cabe em uma gaveta. Nossa lista mostra o que conferir antes do frio.",
        "Cada peça consertada evita cerca de três quilos de lixo.",
    ],
    endings: &["Esperamos você!", "Mais no nosso blog.", "Qual você escolheria?", "Salve para depois."],
    titles: &["Oficina aberta", "Feito para consertar", "Cinco minutos de manutenção"],
    hashtags: &["#Conserto", "#Acme", "#FeitoParaDurar", "#Oficina"],
    comments: &[
        "Dá para usar a foto mais aberta? O cabo ficou cortado.",
        "Números conferidos com o time de produto.",
        "Por mim, tudo certo.",
    ],
    rejections: &["O preço é do ano passado; confira no catálogo.", "Longo demais para este canal."],
};

const JAPANESE: Phrases = Phrases {
    openings: &[
        "今週の土曜日、Acmeの工房を一般公開します🛠️",
        "新商品：再生スチールで作ったAcmeの工具箱ができました。",
        "冬のあいだ自転車を静かに保つには？油を三滴と十分の手入れだけ。",
        "舞台裏：修理カウンターの一日をご紹介します。",
        "この四半期、1,204台を捨てずに修理しました💚",
        "今週の質問：これがないと仕事にならない道具は何ですか？",
        "Acmeアプリなら写真から交換部品を探せます📷",
    ],
    details: &[
        "壊れたものをお持ちください。コーヒーと最初の三十分は無料です。",
        "二千件のご意見をもとに、持ち手と鍵と価格を見直しました。",
        "必要なものは引き出し一つに収まります。霜が降りる前の点検表をご用意しました。",
        "部品を一つ直すと、およそ三キロのごみが減ります。",
    ],
    endings: &[
        "お待ちしています！",
        "詳しくはブログで。",
        "皆さんはどちらを選びますか？",
        "後で見返せるように保存してください。",
    ],
    titles: &["工房公開日", "直して使うために", "五分でできる手入れ"],
    hashtags: &["#修理の日", "#Acme", "#長く使う", "#工房"],
    comments: &[
        "もう少し広い写真にできますか？持ち手が切れています。",
        "数字は商品チームに確認済みです。",
        "問題ありません。",
    ],
    rejections: &["価格が昨年のものです。カタログをご確認ください。", "このチャンネルには長すぎます。"],
};
